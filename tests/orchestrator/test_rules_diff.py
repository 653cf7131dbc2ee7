"""`rules diff` on the command line; and what it says of state is what an activation does to it."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.activation import Processors, activate
from orchestrator.cli.main import run
from rules.load import load_sources
from streams.backends.open import open_log
from streams.event import TICK, control
from streams.intake import Intake
from streams.log import Append, Log
from streams.outputs import Command
from streams.worker import Worker

RULES = """
ruleset: shop
projections:
  orders: {fold: {order.placed: {n: event.data.n}}}
rules:
  remind: {on: order.placed, after: 48h, then: [{command: remind, to: log, args: {n: "${orders.n}"}}]}
"""
HOUR = 3_600_000_000


def evaluate(log: Log) -> None:
    worker = Worker(log, log.acquire(0, "test", 10), Processors(log), budget=1_000_000)
    while worker.work(100):
        pass


def lived(new: str) -> list[Command]:
    """The commands of an order that was placed under the old rules and is due under the new ones."""
    with closing(open_log("memory://", partitions=1, now=lambda: 1)) as log:
        activate(log, load_sources({"rules.yaml": RULES}), lambda: 1)
        body = {"id": "1", "source": "s", "type": "order.placed", "subject": "A", "time": "1970-01-01T00:00:00Z"}
        log.append([Append(0, [Intake(max_ahead=None).from_object({**body, "data": {"n": 7}}, None)])])
        evaluate(log)
        activate(log, load_sources({"rules.yaml": new}), lambda: 1)
        log.append([Append(0, [control(TICK, {"limit": 100}, time=100 * HOUR)])])
        evaluate(log)
        return [each for each in log.outputs(0, 0, 1_000_000)[1] if isinstance(each, Command)]


def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], new: str) -> dict[str, str]:
    """What the command says of each node: node → outcome."""
    (tmp_path / "a.yaml").write_text(RULES)
    (tmp_path / "b.yaml").write_text(new)
    assert run(["rules", "diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["changes"]
    return {state["node"]: state["outcome"] for change in found for state in change["state"]}


def test_pending_deadlines_fire_with_the_new_actions_where_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = RULES.replace("command: remind", "command: remind-kindly")
    assert said(tmp_path, capsys, new) == {"deadline": "kept"}
    assert [(each.command, each.args) for each in lived(new)] == [("remind-kindly", {"n": 7})]
    new = RULES.replace("  remind:", "  dun:")
    assert said(tmp_path, capsys, new) == {"deadline": "kept"}
    assert [(each.rule, each.args) for each in lived(new)] == [("dun", {"n": 7})]


@pytest.mark.parametrize(("old", "new"), [("48h", "47h"), ("after", "when: event.data.n > 1, after")])
def test_pending_deadlines_never_fire_where_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    assert said(tmp_path, capsys, RULES.replace(old, new)) == {"deadline": "new"}
    assert lived(RULES.replace(old, new)) == []


def test_rows_begin_empty_where_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = RULES.replace("{n: event.data.n}", "{n: event.data.n + 1}")
    assert said(tmp_path, capsys, new) == {"rows": "new"}
    assert lived(new) == [], "its payload reads a row that is not there"


def test_it_prints_a_table_and_ends_as_diff_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "a.yaml", tmp_path / "b.yaml"
    old.write_text(RULES)
    new.write_text(RULES.replace("ruleset: shop", "# the shop\nruleset:    shop"))
    assert run(["rules", "diff", str(old), str(new)]) == 0
    assert capsys.readouterr().out == "both mean the same, 2 parts unchanged\n"
    assert run(["rules", "diff", str(old), str(new), "--all"]) == 0
    assert "projection orders  unchanged" in capsys.readouterr().out
    new.write_text(RULES.replace("48h", "49h"))
    assert run(["rules", "diff", str(old), str(new)]) == 1
    said = capsys.readouterr().out
    assert "rule remind  redefined  after  deadline new (after): what is pending never fires" in said
    assert said.endswith("1 difference, 1 part unchanged\n")
    new.write_text("rules: 1")
    assert run(["rules", "diff", str(old), str(new)]) == 2
    assert run(["rules", "diff", str(old), str(tmp_path / "none.yaml")]) == 2
    assert run(["rules", "diff", str(old), "log:active", "--log", f"sqlite:///{tmp_path}/none.db"]) == 2


def test_a_side_may_be_a_rule_set_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, url = tmp_path / "a.yaml", f"sqlite:///{tmp_path}/log.db"
    old.write_text(RULES)
    ruleset = load_sources({"rules.yaml": RULES})
    with closing(open_log(url, partitions=1, now=lambda: 1)) as log:
        activate(log, ruleset, lambda: 1)
        evaluate(log)
    assert run(["rules", "diff", "log:active", str(old), "--log", url]) == 0
    assert run(["rules", "diff", f"log:{ruleset.digest}", str(old), "--log", url]) == 0
    old.write_text(RULES.replace("48h", "49h"))
    assert run(["rules", "diff", "log:active", str(old), "--log", url]) == 1
    capsys.readouterr()
    assert run(["rules", "diff", "log:abc", str(old), "--log", url]) == 2
    assert "keeps no rule set abc" in capsys.readouterr().err
