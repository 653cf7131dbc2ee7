"""Python rules on the command line: named by flag or variable, never found in a folder, and needed again by replays."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.activation import Processors, activate
from orchestrator.cli.main import run
from orchestrator.python_rules import read_modules
from orchestrator.rule_files import read_rule_files
from rules.load import load_sources
from streams.backends.open import open_log
from streams.intake import Intake
from streams.log import Append
from streams.worker import Worker

PYTHON = """
from rules.python import Command, rule

@rule(on="payment.failed", state={"count": int})
def escalate(event, state, now):
    state["count"] += 1
    if state["count"] == 2:
        return [Command("block", to="bank", args={"count": state["count"]})]
"""
YAML = """
ruleset: cards
tests:
  two failures block:
    given:
      - {type: payment.failed, time: 2024-01-01T00:00:00Z}
      - {type: payment.failed, time: 2024-01-01T00:00:00Z}
    expect: [{command: block, rule: escalate}]
"""
EVENT = {"source": "s", "type": "payment.failed", "subject": "c1", "time": "2024-01-01T00:00:00Z"}
EVENTS = [{**EVENT, "id": str(number)} for number in (1, 2)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "cards.yaml").write_text(YAML)
    (tmp_path / "rules" / "cards.py").write_text(PYTHON)
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in EVENTS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_takes_them_by_flag_and_by_variable(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = [
        ["rules", "check", "--json"],
        ["rules", "check", "--format", "sarif"],
        ["rules", "test", "--json"],
        ["simulate", "--events", "events.jsonl", "--json"],
        ["rules", "explain", "2", "--events", "events.jsonl", "--json"],
    ]
    for command in commands:
        assert run([*command, "--python-rules", "rules/cards.py"]) == 0
        by_flag = capsys.readouterr().out
        with monkeypatch.context() as patched:
            patched.setenv("ORCHESTRATOR_PYTHON_RULES", "rules/cards.py")
            assert run(command) == 0
        by_variable = json.loads(capsys.readouterr().out)
        for said in (found := json.loads(by_flag)), by_variable:
            said.pop("seconds", None), said.pop("events_per_second", None)
        assert found == by_variable, command


def test_a_folder_of_rules_runs_no_python_and_no_folder_may_be_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "check", "rules", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"] == []
    for wrong in ("rules", "rules/cards.yaml"):
        assert run(["rules", "check", "--python-rules", wrong]) == 1
        assert "name each `.py` file" in capsys.readouterr().err
    assert run(["rules", "check", "--python-rules", "gone.py"]) == 1
    assert "gone.py: No such file" in capsys.readouterr().err


def test_mistakes_are_shown_with_their_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rules" / "cards.py").write_text("import time\n" + PYTHON)
    assert run(["rules", "check", "--python-rules", "rules/cards.py"]) == 1
    assert "cards.py:1:1: error: `time` cannot be imported by rules [impure]" in capsys.readouterr().err
    assert run(["rules", "check", "--python-rules", "rules/cards.py", "--format", "sarif"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "rules/cards.py"


def test_replays_need_the_file_as_it_was_and_find_it_among_the_old_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python, url = folder / "rules" / "cards.py", f"sqlite:///{folder}/log.db"
    ruleset = load_sources(read_rule_files([folder / "rules"]), read_modules([python]))
    with closing(open_log(url, partitions=1, now=lambda: 1)) as log:
        activate(log, ruleset, lambda: 1)
        log.append([Append(0, [Intake(max_ahead=None).from_object(each, None) for each in EVENTS])])
        processors = Processors(log, ruleset.modules.items())
        worker = Worker(log, log.acquire(0, "test", 10), processors, budget=1_000_000)
        while worker.work(100):
            pass
    assert run(["replay", "verify", "--log", url, "--python-rules", str(python), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["commands"] == 1
    assert run(["rules", "explain", "2", "--log", url, "--python-rules", str(python)]) == 0
    assert "escalate" in capsys.readouterr().out
    (folder / "before").mkdir()
    old = python.rename(folder / "before" / "cards.py")
    python.write_text(PYTHON.replace("== 2", "== 3"))
    for command in (["replay", "verify"], ["replay", "rebuild"], ["rules", "explain", "2"]):
        assert run([*command, "--log", url, "--python-rules", str(python)]) == 1
        said = capsys.readouterr().err
        assert "needs the Python rules `cards.py` with hash " in said
        assert "--python-rules-old" in said
        assert run([*command, "--log", url, "--python-rules", str(python), "--python-rules-old", str(old)]) == 0
        capsys.readouterr()
