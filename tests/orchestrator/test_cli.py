"""The command line as a user calls it, in this process: output, and exit status."""

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import run


def test_version_is_shown_to_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith("orchestrator ")
    assert run(["version", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"orchestrator", "python"}


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fly"]) == 2
    assert run(["version", "--loud"]) == 2


RULES = """
ruleset: shop
rules:
  big:
    on: order.placed
    when: event.data.total > 100
    then: [{command: look-at, to: log, args: {order: "${event.subject}"}}]
"""


def test_rules_check_names_the_rule_set_or_shows_every_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert run(["rules", "check", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ruleset"], found["rules"]) == ("shop", ["big"])
    assert run(["rules", "check", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == found["digest"], "a folder's name is not in the digest"
    file.write_text(RULES.replace("when: event", "wenn: 1\n    when: evnt"))
    assert run(["rules", "check", str(file)]) == 1
    said = capsys.readouterr().err
    assert "rules.yaml:6:" in said
    assert "wenn" in said


def test_rules_check_speaks_sarif_with_paths_from_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules" / "deep").mkdir(parents=True)
    file = tmp_path / "rules" / "deep" / "shop.yaml"
    file.write_text(RULES.replace("when: event", "when: evnt"))
    monkeypatch.chdir(tmp_path)
    assert run(["rules", "check", "rules", "--format", "sarif"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "rules/deep/shop.yaml", "uriBaseId": "SRCROOT"}
    monkeypatch.chdir(tmp_path / "rules" / "deep")
    file.write_text(RULES.replace("ruleset: shop", ""))
    assert run(["rules", "check", str(tmp_path / "rules"), "--format", "sarif"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("no-name", "warning")


def test_rules_check_shows_on_request_how_rules_are_found_and_what_they_keep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.replace("    then:", "    once_within: 1h\n    then:"))
    assert run(["rules", "check", str(file), "-v"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "big order.placed tested one by one, one of 1 rule" in said
    assert "rule big the last firing 22 the next one" in said
    assert run(["rules", "check", str(file), "--json", "--verbose"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["index"] == [{"rule": "big", "heard": "order.placed", "how": "tested", "path": "", "beside": 1}]
    assert [each["owner"] for each in found["state"]] == ["rule big"]


def test_json_is_a_format_and_contradicts_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert run(["rules", "check", str(file), "--json"]) == 0
    short = capsys.readouterr().out
    assert run(["rules", "check", str(file), "--format", "json"]) == 0
    assert capsys.readouterr().out == short
    assert run(["rules", "check", str(file), "--format", "sarif", "--json"]) == 2
    assert "contradict" in capsys.readouterr().err
    assert run(["rules", "check", str(file), "--format", "xml"]) == 2


def test_rule_files_that_are_not_there_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["rules", "check", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
    assert run(["rules", "check", str(tmp_path)]) == 1
    assert "holds no rule file" in capsys.readouterr().err
    assert run(["rules", "check"]) == 2
    assert "./rules.yaml" in capsys.readouterr().err
    (tmp_path / "rules.yaml").write_text(RULES)
    assert run(["rules", "check"]) == 0, "the file that `dev` takes"


def test_simulate_writes_commands_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    events = [
        {"id": str(n), "source": "s", "type": "order.placed", "subject": f"o{n}", "time": "2026-01-01T00:00:00Z"}
        | {"data": {"total": 60 * n}}
        for n in range(4)
    ]
    file, out = tmp_path / "events.jsonl", tmp_path / "out.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    call = ["simulate", "--rules", str(tmp_path), "--events", str(file), "--commands", str(out), "--json"]
    assert run(call) == 0
    assert json.loads(capsys.readouterr().out)["firings"] == {"big": 2}
    assert [json.loads(line)["key"] for line in out.read_text().splitlines()] == ["o2", "o3"]
    file.write_text("{")
    assert run(call) == 1
    assert "line 1" in capsys.readouterr().err
    assert run([*call, "--until", "tomorrow"]) == 2
    assert "--until=tomorrow" in capsys.readouterr().err
