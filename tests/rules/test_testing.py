"""The test kit of rule authors, and what the runner of `tests:` says when one fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.cli.rule_tests import run_rule_tests
from rules.diagnostics import RuleErrors
from rules.load import load_sources
from rules.testing import given, run_tests
from streams import rfc3339
from streams.intake import IntakeError

RULES = """
ruleset: orders
projections:
  orders:
    fold:
      order.placed: {total: event.data.total}
rules:
  remind:
    on: order.placed
    when: event.data.total > 10
    after: 48h
    unless: payment.received
    then: [{command: remind, to: mail, args: {total: "${orders.total}", at: "${now}"}}]
  welcome:
    on: order.placed
    once: true
    keep: 400d
    then: [{emit: customer.seen, subject: "${event.data.who}"}]
  greet:
    on: customer.seen
    then: [{command: greet, to: mail}]
  tried out:
    on: order.placed
    shadow: true
    then: [{command: try, to: mail}, {emit: tried}]
  after delivery:
    on: orchestrator.command.parked
    then: [{alert: "parked ${key}"}]
"""


def test_events_go_in_and_commands_come_out_as_the_clock_is_moved() -> None:
    kit = given(RULES, at="2024-03-01T12:00:00Z").event("order.placed", "A1", {"total": 20, "who": "Ada"})
    assert [(c.command, c.key, c.shadow) for c in kit.commands] == [("try", "A1", True), ("greet", "Ada", False)]
    kit.advance("47h59m")
    assert kit.fired("remind") == 0
    kit.advance("1m")
    (command,) = (command for command in kit.commands if command.command == "remind")
    assert (command.to, command.args) == ("mail", {"total": 20, "at": "2024-03-03T12:00:00Z"})
    assert kit.fired("remind") == 1


def test_what_cancels_in_time_leaves_nothing() -> None:
    kit = given(RULES).event("order.placed", "A1", {"total": 20, "who": "Ada"}).advance(timedelta(hours=40))
    kit.event("payment.received", "A1").until("2025-01-01T00:00:00Z")
    assert kit.fired("remind") == 0


def test_a_tick_fires_what_lies_before_it_and_not_what_is_due_just_then() -> None:
    kit = given(RULES, at=datetime(2024, 1, 1, tzinfo=UTC)).event("order.placed", "A1", {"total": 20, "who": "Ada"})
    assert kit.tick("2024-01-03T00:00:00Z").fired("remind") == 0
    assert kit.tick("2024-01-03T00:00:00.000001Z").fired("remind") == 1


def test_events_keep_to_the_time_they_name_and_the_clock_to_the_latest() -> None:
    kit = given(RULES, at=0).event("a", "A", time="2024-05-01T00:00:00Z").event("b", "A", time="2024-04-01T00:00:00Z")
    assert kit.now == rfc3339.parse("2024-05-01T00:00:00Z")


def test_rows_derived_events_and_reasons_can_be_looked_at() -> None:
    kit = given(RULES).event("order.placed", "A1", {"total": 1, "who": "Ada"}).event("order.placed", "A2", {"total": 2})
    assert kit.row("orders", "A1") == {"total": 1}
    assert kit.row("orders", "nobody") is None
    assert [(event.type, event.subject) for event in kit.derived] == [("customer.seen", "Ada")]
    assert kit.not_evaluated == {"welcome": "`event.data.who` is absent"}


def test_results_of_commands_can_be_given_and_duplicates_are_not_evaluated() -> None:
    kit = given(RULES)
    for _ in range(2):
        kit.event("orchestrator.command.parked", "A1", {"id": "x"}, id="r1")
    assert [command.args for command in kit.commands] == [{"text": "parked A1", "severity": "warning"}]


@pytest.mark.parametrize("partitions", [3, 8])
def test_the_number_of_partitions_changes_nothing(partitions: int) -> None:
    def ids(kit_partitions: int) -> list[str]:
        kit = given(RULES, partitions=kit_partitions)
        for number in range(20):
            kit.event("order.placed", f"A{number}", {"total": number, "who": f"W{number % 3}"}).advance("5h")
        return [command.id for command in kit.advance("9w").commands]

    assert ids(partitions) == ids(1)


def test_mistakes_are_said_at_once() -> None:
    with pytest.raises(RuleErrors, match="did you mean `rules`"):
        given("ruleset: t\nrulez: {}\n")
    with pytest.raises(IntakeError, match="type"):
        given(RULES).event("", "A1")
    with pytest.raises(IntakeError):
        given(RULES).event("orchestrator.tock", "A1")
    with pytest.raises(ValueError, match="zone"):
        given(RULES, at=datetime(2024, 1, 1))  # noqa: DTZ001


TESTS = """
tests:
  right:
    given: [{type: order.placed, subject: A1, time: 2024-01-01T00:00:00Z, data: {total: 5.0, who: Ada}}]
    expect:
      - {command: greet}
      - {command: try, shadow: true}
  wrong:
    given: [{type: order.placed, subject: A1, time: 2024-01-01T00:00:00Z, data: {total: 20}}]
    until: 2024-02-01T00:00:00Z
    expect:
      - {command: remind, at: 2024-01-02T00:00:00Z, args: {total: 21, at: 2024-01-03T00:00:00Z, who: Ada}}
      - {command: call, to: phone}
"""
REPORT = """\
{file}:36: test `wrong` failed
                expected                got
    command     "remind"                "remind"
  ≠ at          "2024-01-02T00:00:00Z"  "2024-01-03T00:00:00Z"
  ≠ args.total  21                      20
    args.at     "2024-01-03T00:00:00Z"  "2024-01-03T00:00:00Z"
  ≠ args.who    "Ada"                   -
  expected {{command: "call", to: "phone"}}, got nothing
  got {{command: "try", to: "mail", at: "2024-01-01T00:00:00Z", args: {{}}, shadow: true}}, expected nothing
  no rule has a command `call`"""


def test_a_failing_test_of_a_file_says_what_was_expected_and_what_came() -> None:
    right, wrong = run_tests(load_sources({"orders.yaml": RULES + TESTS}))
    assert (right.passed, right.report) == (True, "")
    assert (wrong.passed, wrong.report) == (False, REPORT.format(file="orders.yaml"))


def test_the_command_line_shows_each_failure_once_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(RULES + TESTS)
    assert run_rule_tests(file) == 1
    printed = capsys.readouterr().out
    assert printed.count("test `wrong` failed") == printed.count("wrong") == 1
    assert printed.endswith("\n1 passed, 1 failed\n")


WHY = """\
rules.yaml:9: test `t` failed
             expected  got
    command  "greet"   "greet"
  ≠ args.n   1         -
    key      "B"       "B"
  expected {command: "greet", key: "A"}, got nothing
  expected {command: "gret"}, got nothing
  no rule has a command `gret`: did you mean `greet`?
  event 1, order.placed of A:
  · big: does not hold, `when` is false
      let         limit = 100
      looked at   event.data.total > limit  [200, 100]  → true
      decided by  event.data.country in ["DE", "AT"]  ["FR", ["DE","AT"]]  → false
      would take  event.data.country in ["DE", "AT"]
  event 3, order.placed of C:
  · big: not evaluated, `event.data.vip` is absent
      let         limit = "no value: `event.data.vip` is absent"
      decided by  event.data.total > limit  → no value: `event.data.vip` is absent
      looked at   event.data.country in ["DE", "AT"]  ["DE", ["DE","AT"]]  → true
      would take  event.data.total > limit"""


def test_what_did_not_fire_is_explained() -> None:
    text = """
ruleset: shop
rules:
  big:
    on: order.placed
    let: {limit: "event.data.vip ? 1000 : 100"}
    when: event.data.total > limit && event.data.country in ["DE", "AT"]
    then: [{command: greet, to: sales}]
""".strip()
    tests = """
tests:
  t:
    given:
      - {type: order.placed, subject: A, time: 2024-01-01T00:00:00Z, data: {total: 200, vip: false, country: FR}}
      - {type: order.placed, subject: B, time: 2024-01-01T00:00:00Z, data: {total: 300, vip: false, country: DE}}
      - {type: order.placed, subject: C, time: 2024-01-01T00:00:00Z, data: {total: 300, country: DE}}
    expect: [{command: greet, key: A}, {command: greet, key: B, args: {n: 1}}, {command: gret}]
"""
    (outcome,) = run_tests(load_sources({"rules.yaml": text + tests}))
    assert outcome.report == WHY
