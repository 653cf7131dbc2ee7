"""`settle`: fire once the key has been quiet, with the last event."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from rules.compile import compile_rules
from rules.load import load_sources
from rules.testing import RuleTestKit, given
from streams import rfc3339
from streams.event import TICK, Event, control, fingerprint
from streams.outputs import Command
from tests.oracle.partition import OnePartition

SECOND = 1_000_000
RULES = """
ruleset: t
lateness: 20s
projections:
  typed: {fold: {key.typed: {n: event.data.n}}}
rules:
  search:
    on: key.typed
    let: {n: event.data.n, at: event.time}
    settle: 30s
    then: [{command: search, to: t, args: {n: "${n}", text: "${event.data.text}", now: "${now}", row: "${typed.n}"}}]
"""


def said(kit: RuleTestKit) -> list[tuple[str, str]]:
    return [(rfc3339.format(command.at)[14:19], command.cause) for command in kit.commands]


def typed(*times: str, rules: str = RULES) -> RuleTestKit:
    """Events e1, e2, … at these minutes and seconds."""
    kit = given(rules, at="2024-01-01T00:00:00Z")
    for place, time in enumerate(times, 1):
        data = {"n": place, "text": "x" * place}
        kit.event("key.typed", "A", data, time=f"2024-01-01T00:{time}Z", id=f"e{place}")
    return kit


def test_the_last_of_many_firings_acts_when_it_was_quiet() -> None:
    kit = typed("00:00", "00:29", "00:58.5").until("2024-01-01T00:01:28.499999Z")
    assert kit.commands == []
    (command,) = kit.advance("1ms").commands
    assert rfc3339.format(command.at) == "2024-01-01T00:01:28.5Z"
    assert command.cause == "e3"
    assert command.args == {"n": 3, "text": "xxx", "now": "2024-01-01T00:01:28.5Z", "row": 3}


@pytest.mark.parametrize(
    ("times", "commands"),
    [
        (["00:00", "00:30"], [("00:30", "e1"), ("01:00", "e2")]),  # at exactly last + 30s it starts anew
        (["00:30", "00:00"], [("00:30", "e2"), ("01:00", "e1")]),
        (["00:30", "00:10"], [("01:00", "e1")]),  # a late one is not the last
        (["00:30", "00:30"], [("01:00", "e2")]),  # of two at one time the newer is
        (["00:00", "00:40", "00:20"], [("01:10", "e2")]),  # a late one makes one of two
        (["00:00", "00:49", "00:19"], [("00:49", "e3"), ("01:19", "e2")]),
        (["02:00", "00:00"], [("00:30", "e2"), ("02:30", "e1")]),  # over before it came: dated in the past
    ],
)
def test_what_belongs_together_lies_less_than_the_quiet_time_apart(
    times: list[str], commands: list[tuple[str, str]]
) -> None:
    assert said(typed(*times).advance("1h")) == commands


def test_the_row_is_that_of_the_moment_when_it_fires_and_let_that_of_the_event() -> None:
    rules = RULES.replace("on: key.typed\n", "on: key.typed\n    when: event.data.n < 2\n")
    (command,) = typed("00:00", "00:10", rules=rules).advance("1m").commands
    assert (command.args["n"], command.args["row"], command.cause) == (1, 2, "e1")


def test_settling_decides_when_a_rule_fires_and_its_throttle_looks_at_that() -> None:
    rules = RULES.replace("settle: 30s", "settle: 30s\n    once_within: 1m")
    kit = typed("00:00", "00:20", "01:10", "02:10", rules=rules).advance("1h")
    assert said(kit) == [("00:50", "e2"), ("02:40", "e4")]
    assert kit.fired("search") == 2


def test_a_deadline_may_settle_too() -> None:
    rules = RULES.replace("settle: 30s", "after: 1m\n    settle: 30s")
    assert said(typed("00:00", "00:20", "00:55", rules=rules).advance("1h")) == [("01:50", "e2"), ("02:25", "e3")]


def test_what_settled_is_out_before_what_its_rule_opens_at_the_same_time() -> None:
    rules = """
ruleset: t
rules:
  late:
    on: [a, b]
    after: 30s
    settle: 30s
    then: [{command: "c", to: t}]
"""
    kit = given(rules).event("a", "A", id="e1").advance("30s").event("b", "A", id="e2").advance("2m")
    assert [command.cause for command in kit.commands] == ["e1", "e2"]


def test_a_payload_that_cannot_be_evaluated_when_it_was_quiet_is_counted_and_nothing_is_done() -> None:
    kit = given(RULES).event("key.typed", "A", {"n": 1}).advance("1m")
    assert kit.commands == []
    assert kit.not_evaluated == {"search": "`event.data.text` is absent"}


def test_editing_actions_keeps_what_settles_and_another_quiet_time_does_not() -> None:
    other = RULES.replace("command: search", "command: find")
    changed = RULES.replace("settle: 30s", "settle: 31s")
    ids = [
        compile_rules(load_sources({"r.yaml": text})).node_ids["rule `search`/settle"]
        for text in (RULES, other, changed)
    ]
    assert ids[0] == ids[1] != ids[2]


TIMES = st.lists(st.tuples(st.booleans(), st.integers(0, 120)), max_size=12)


@drawn(TIMES, st.sets(st.integers(0, 12)))
def test_any_firings_in_any_batches_settle_as_a_list_of_all_of_them_would(
    times: list[tuple[bool, int]], cuts: set[int]
) -> None:
    """Groups of firings, merged where two are less than thirty seconds apart, out when the clock is past last + 30s."""
    groups: list[list[tuple[int, str]]] = []
    expected: list[tuple[int, str]] = []
    log: list[Event] = []
    clock = -1000

    def pass_time() -> None:
        while passed := [group for group in groups if max(group)[0] + 30 < clock]:
            first = min(passed, key=max)
            groups.remove(first)
            at = max(first)[0]
            expected.append((at + 30, [id for time, id in first if time == at][-1]))

    for place, (ticks, time) in enumerate([*times, (True, 1_000)]):
        if ticks:
            log.append(control(TICK, {"limit": 1 + place % 2}, time=time * SECOND))
            clock = max(clock, time)
            pass_time()
            continue
        id = f"e{place}"
        data = msgspec.Raw(msgspec.json.encode({"n": place, "text": id}))
        log.append(Event("key.typed", time * SECOND, "A", "A", "test", id, fingerprint("test", id), data))
        clock = max(clock, time - 20)
        pass_time()
        near = [group for group in groups if any(abs(other - time) < 30 for other, _ in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(one for group in near for one in group), (time, id)])
        pass_time()
    partition = OnePartition(compile_rules(load_sources({"r.yaml": RULES})))
    partition.run(log, cuts)
    commands = [output for output in partition.outputs if isinstance(output, Command)]
    assert [(command.at // SECOND, command.cause) for command in commands] == expected
    assert all(not partition.cell(key).nodes for key in partition.stored)
