"""State that was written by one rule set and is read by the next: edits of rules, newer versions of events."""

from __future__ import annotations

from typing import Any

import pytest

from rules.compile import compile_rules
from rules.load import load_sources
from streams.event import TICK, Event, control
from streams.outputs import Command
from tests.agent.running import event
from tests.oracle.partition import OnePartition

SECOND = 1_000_000


def partition(rules: str) -> OnePartition:
    return OnePartition(compile_rules(load_sources({"rules.yaml": rules})))


def edited(before: str, after: str, first: list[Event], second: list[Event], until: int = 1_000) -> list[Any]:
    """The arguments of all commands of the rules `after`, which are activated between the events; ends at a tick, in
    seconds."""
    old, new = partition(before), partition(after)
    old.run(first)
    new.stored, new.copies, new.partition = old.stored, old.copies, old.partition
    new.run([*second, control(TICK, {"limit": 100}, time=until * SECOND)])
    assert new.reasons == {}
    return [output.args for output in new.outputs if isinstance(output, Command)]


def a(at: int, type: str = "a", **data: Any) -> Event:
    return event(type, "k", time=at * SECOND, **data)


# ------------------------------------------------------------ edits

BOTH = """
ruleset: t
rules:
  both:
    on: a
    over: OVER
    having: sum(event.data.x) > 0 && min(event.data.y) > 0
    then: [{command: c, to: t, args: {x: "${sum(event.data.x)}", y: "${min(event.data.y)}"}}]
"""


@pytest.mark.parametrize("over", ["10m", "{last: 5}", "{sliding: 10m, step: 1m}", "{tumbling: 10m}", "{session: 1m}"])
def test_a_window_whose_having_asks_in_another_order_goes_on_with_the_same_values(over: str) -> None:
    before = BOTH.replace("OVER", over)
    after = before.replace(
        "sum(event.data.x) > 0 && min(event.data.y) > 0", "min(event.data.y) > 0 && sum(event.data.x) > 0"
    )
    assert after != before
    assert edited(before, after, [a(1, x=1, y=100)], [a(2, x=1, y=200)]) == [{"x": 2, "y": 100}]


COUNTED = """
ruleset: t
rules:
  r: {on: a, over: 10m, settle: 10s, then: [{command: c, to: t, args: {v: "${sum(event.data.x)}"}}]}
"""
STEPS = """
ruleset: t
rules:
  r:
    sequence: [{one: {on: a}}, {two: {on: b}}, {three: {on: c}}]
    within: 5m
    settle: 10s
    then: [{command: c, to: t, args: {v: "${two.data.n}"}}]
"""


@pytest.mark.parametrize("read", ["sum(event.data.y)", "max(event.data.x)"])
def test_a_firing_that_waits_for_quiet_is_dropped_by_actions_that_ask_another_aggregate(read: str) -> None:
    after = COUNTED.replace("sum(event.data.x)", read)
    assert edited(COUNTED, after, [a(1, x=1, y=100)], []) == []
    assert edited(COUNTED, COUNTED.replace("{v:", "{w: 1, v:"), [a(1, x=1, y=100)], []) == [{"w": 1, "v": 1}]


def test_a_firing_that_waits_for_quiet_is_dropped_by_actions_that_read_another_step() -> None:
    steps = [a(1, n=1), a(2, "b", n=2), a(3, "c", n=3)]
    assert edited(STEPS, STEPS.replace("${two.data.n}", "${two.data.n}${one.data.n}"), steps, []) == []
    assert edited(STEPS, STEPS.replace("{v:", "{w: 1, v:"), steps, []) == [{"w": 1, "v": 2}]


# ------------------------------------------------------------ versions

SECOND_VERSION = """
events:
  a/2: {m: number, from/1: {m: double(event.data.n)}}
"""
THIRD_VERSION = f"{SECOND_VERSION}  a/3: {{total: number, from/2: {{total: event.data.m}}}}\n"


def brought_up(rule: str, first: list[Event], second: list[Event], until: int = 1_000) -> list[Any]:
    """`first` meets rules that know two versions, `second` the same rules when the third is declared."""
    before, after = (f"ruleset: t\n{events}rules:\n  r: {rule}\n" for events in (SECOND_VERSION, THIRD_VERSION))
    return edited(before, after, first, second, until)


# `event.data` whole, so that what an event has become can be seen
ARGS = 'then: [{command: c, to: t, args: {d: "${event.data}", v: "${event.dataschema}"}}]}'


def test_a_firing_that_settles_while_a_version_comes_acts_with_the_event_as_that_has_it() -> None:
    found = brought_up(f"{{on: a, settle: 30s, {ARGS}", [a(1, n="7")], [])
    assert found == [{"d": {"n": "7", "m": 7, "total": 7}, "v": "a/3"}]


@pytest.mark.parametrize("over", ["{tumbling: 1m}", "{session: 1m}"])
def test_the_last_event_of_a_window_that_closes_later_is_brought_up(over: str) -> None:
    rule = f"{{on: a, over: {over}, having: has(event.data.m) && count() > 1, {ARGS}"
    assert brought_up(rule, [a(1, n="7"), a(2, n="8")], []) == [{"d": {"n": "8", "m": 8, "total": 8}, "v": "a/3"}]


@pytest.mark.parametrize("over", ["10m", "{last: 5}", "{sliding: 10m, step: 1m}", "{tumbling: 1m}", "{session: 1m}"])
def test_what_a_window_took_of_an_event_stays_as_it_was_taken(over: str) -> None:
    args = 'then: [{command: c, to: t, args: {sum: "${sum(event.data.m)}", n: "${count()}"}}]}'
    found = brought_up(f"{{on: a, over: {over}, having: count() > 1, {args}", [a(1, n="7")], [a(2, n="8")])
    assert found == [{"sum": 15, "n": 2}]


SEQUENCE = "{sequence: [{one: {on: a}}, {two: {on: a, when: two.data.m > one.data.m}}], within: 5m, "


def test_a_match_keeps_what_it_read_of_its_events_and_the_last_one_is_of_the_newest_version() -> None:
    args = 'then: [{command: c, to: t, args: {one: "${one.data.m}", two: "${two.data}"}}]}'
    found = brought_up(SEQUENCE + args, [a(1, n="7")], [a(2, n="8")])
    assert found == [{"one": 7, "two": {"n": "8", "m": 8, "total": 8}}]


def test_a_sequence_that_settles_while_a_version_comes_acts_with_its_last_event_as_that_has_it() -> None:
    args = 'settle: 30s, then: [{command: c, to: t, args: {one: "${one.data.m}", two: "${two.data}"}}]}'
    found = brought_up(SEQUENCE + args, [a(1, n="7"), a(2, n="8")], [])
    assert found == [{"one": 7, "two": {"n": "8", "m": 8, "total": 8}}]


def test_without_a_newer_version_nothing_is_another() -> None:
    rules = f"ruleset: t\n{SECOND_VERSION}rules:\n  r: {{on: a, settle: 30s, {ARGS}\n"
    assert edited(rules, rules, [a(1, n="7")], []) == [{"d": {"n": "7", "m": 7}, "v": "a/2"}]
