"""Windows: what is kept of a key, for how long, and what authors and operators can rely on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from rules.compile import compile_rules
from rules.load import load_sources
from rules.simulation import Simulation
from rules.testing import given
from streams.event import NULL, OUTSIDE, TICK, Event, control, fingerprint
from streams.outputs import Command
from streams.processor import Poisoned
from streams.state import NEVER
from tests.oracle.partition import OnePartition

SECOND = 1_000_000
START = "2025-01-01T00:00:00Z"


def rules(over: str, then: str = "n: '${count()}'", more: str = "", lateness: str = "0s") -> str:
    action = f"then: [{{command: c, to: t, args: {{{then}}}}}]"
    return f"ruleset: t\nlateness: {lateness}\nrules:\n  r:\n    on: hit\n    over: {over}\n    {action}\n{more}"


def partition(text: str) -> OnePartition:
    return OnePartition(compile_rules(load_sources({"rules.yaml": text})))


def hit(second: float, n: Any = 1, key: str = "k", id: str | None = None, **more: Any) -> Event:
    id = id or f"e{second}-{n}"
    data = msgspec.Raw(json.dumps({"n": n, **more}).encode())
    return Event("hit", int(second * SECOND), key, key, "s", id, fingerprint("s", id), data, OUTSIDE)


def tick(second: float) -> Event:
    return control(TICK, {"limit": 100}, time=int(second * SECOND))


def args(found: OnePartition | Simulation, name: str = "n") -> list[Any]:
    return [output.args[name] for output in found.outputs if isinstance(output, Command)]


def state(found: OnePartition, key: str = "k") -> Any:
    return found.cell(key).nodes.get(found.processor.node_ids["rule `r`/window"])


# ---------------------------------------------------------------- what is kept


def test_counting_keeps_times_and_nothing_else_of_an_event() -> None:
    found = partition(rules("10s"))
    found.run([hit(1, n="a long text"), hit(2)])
    assert state(found) == [[11 * SECOND, 1], [1 * SECOND, 2 * SECOND], 0, None, None, None]


def test_the_last_ones_of_which_only_the_number_is_asked_are_a_number() -> None:
    found = partition(rules("{last: 3}"))
    found.run([hit(each) for each in range(5)])
    assert state(found) == [3]
    assert args(found) == [1, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("then", "kept"), [("n: '${event.id}'", False), ("n: '${event.data.n}'", True), ("n: '${event}'", True)]
)
def test_a_window_that_closes_keeps_the_data_of_its_last_event_where_they_are_read(then: str, kept: bool) -> None:
    found = partition(rules("{tumbling: 10s}", then))
    found.run([hit(1, text="a text")])
    assert (b"a text" in found.stored["k"]) is kept


def test_a_key_that_is_not_seen_again_keeps_no_sliding_window() -> None:
    for over in ("10s", "{sliding: 10s, step: 2s}"):
        found = partition(rules(over))
        found.run([hit(0), hit(4), tick(9), hit(9)])
        first = found.cell("k").due
        found.run([tick(15)])
        assert first < found.cell("k").due < NEVER, "it waits for the newest event"
        assert args(found) == [1, 2, 3]
        found.run([tick(30)])
        assert state(found) is None
        assert found.cell("k").due == NEVER


def test_a_window_that_comes_again_begins_anew() -> None:
    found = partition(rules("10s"))
    found.run([hit(0), hit(1), hit(100), hit(101)])
    assert args(found) == [1, 2, 1, 2]


def test_beyond_its_limit_a_window_drops_the_oldest_and_that_is_counted() -> None:
    found = partition(rules("{sliding: 1h, limit: 3}", "n: '${count()}', s: '${sum(event.data.n)}'"))
    found.run([hit(second, n=10**second) for second in range(5)])
    assert args(found) == [1, 2, 3, 3, 3]
    assert args(found, "s") == [1, 11, 111, 1110, 11100]
    assert found.counts["window_capped|r"] == 2


def test_ten_thousand_events_of_a_key_are_what_a_window_holds() -> None:
    found = partition(rules("1h", more="    having: count() > 9999\n"))
    found.run([hit(each / 1000, id=str(each)) for each in range(10_003)])
    assert args(found) == [10_000] * 4
    assert found.counts["window_capped|r"] == 3
    assert len(found.stored["k"]) < 110_000


@pytest.mark.parametrize("over", ["{tumbling: 1h, limit: 2}", "{session: 1h, limit: 2}"])
def test_values_beyond_the_limit_are_not_told_apart_and_that_is_counted(over: str) -> None:
    found = partition(rules(over, "n: '${distinct(event.data.n)}'"))
    found.run([hit(1, n=each, id=str(each)) for each in (1, 1.0, 2, "3", 2, True)] + [tick(100_000)])
    assert args(found) == [2]
    assert found.counts["window_capped|r"] == 2


# ---------------------------------------------------------------- what an event does


def test_an_event_whose_argument_cannot_be_evaluated_does_not_enter_and_is_counted() -> None:
    for over in ("10s", "{last: 5}", "{sliding: 10s, step: 2s}"):
        found = partition(rules(over, "n: '${count()}', s: '${sum(event.data.n)}'"))
        found.run([hit(1), hit(2, n="2"), hit(3, n=None), hit(3, n=True), hit(4, n=5)])
        assert args(found, "s") == [1, 6]
        assert found.counts["not_evaluated|r"] == 3
        assert found.reasons["r"] == "`sum` needs a number, not a boolean"


def test_where_having_has_no_value_the_event_is_in_the_window_and_the_rule_not_evaluated() -> None:
    found = partition(rules("10s", more="    having: min(event.data.n) < 5\n"))
    found.run([hit(1), hit(2, n="text"), hit(11.5, n="more")])
    assert args(found) == [1]
    assert found.counts["not_evaluated|r"] == 2
    found.run([hit(12, n=1), hit(30, n=1)])
    assert args(found) == [1, 1]


def test_numbers_are_one_value_however_json_writes_them_and_booleans_are_none() -> None:
    found = partition(rules("1h", "n: '${distinct(event.data.n)}'"))
    values = [1, 1.0, True, "1", None, [1], [1.0], {"a": 1, "b": 2}, {"b": 2.0, "a": 1.0}, [True], 1e300]
    found.run([hit(place, n=value, id=str(place)) for place, value in enumerate(values)])
    assert args(found) == [1, 1, 2, 3, 4, 5, 5, 6, 6, 7, 8]


def test_times_are_compared_and_come_back_as_times() -> None:
    then = "n: '${max(event.time) - min(event.time)}', first: '${first(event.time)}', of: '${distinct(event.time)}'"
    found = partition(rules("{sliding: 10s}", then))
    found.run([hit(1), hit(4)])
    assert args(found) == ["0s", "3s"]
    assert args(found, "first")[1] == "1970-01-01T00:00:01Z"
    assert args(found, "of") == [1, 2]


def test_an_event_that_a_deadline_derived_is_not_late_for_a_window() -> None:
    """The clock stops at what it passes (RULES.md §9), however far it jumps."""
    more = "  later: {on: order, after: 10s, then: [{emit: hit, data: {n: 5}}]}\n"
    found = partition(rules("5s", "n: '${sum(event.data.n)}'", more))
    order = msgspec.structs.replace(hit(0, id="o"), type="order")
    found.run([order, hit(8), hit(100, n=7)])
    assert args(found) == [1, 6, 7]
    live = partition(rules("5s", "n: '${sum(event.data.n)}'", more))
    live.run([order, hit(8), tick(1000)])
    assert args(live) == [1, 6]


def test_a_window_that_has_fired_does_not_fire_again_though_the_clock_stands_at_its_end() -> None:
    kit = given(rules("{tumbling: 10s}"), at=START)
    kit.event("hit", "k").advance("10s")
    kit.event("hit", "k", time="2025-01-01T00:00:05Z").advance("20s")
    assert [command.args["n"] for command in kit.commands] == [1]


def test_data_that_are_no_json_are_the_fault_of_their_own_event_in_a_window_that_closes() -> None:
    found = partition(rules("{session: 10s}"))
    with pytest.raises(Poisoned, match="Decode"):
        found.run([msgspec.structs.replace(hit(1), data=msgspec.Raw(b"{"))])
    counting = partition(rules("10s", "n: '${sum(event.data.n)}'"))
    with pytest.raises(Poisoned, match="Decode"):
        counting.run([msgspec.structs.replace(hit(1), data=msgspec.Raw(b"{"))])
    counting.run([msgspec.structs.replace(hit(1), data=NULL)])
    assert counting.counts["not_evaluated|r"] == 1


def test_a_firing_at_the_end_of_a_window_is_named_by_its_bounds() -> None:
    found = partition(rules("{session: 10s}", "n: '${event.id}'"))
    found.run([hit(7, id="b"), hit(5, id="a"), hit(12, id="c"), tick(100)])
    (command,) = (output for output in found.outputs if isinstance(output, Command))
    text = '["t","r","k",[5000000,22000000],null,22000000,0]'
    assert command.id == hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    assert (command.at, command.cause, command.args["n"]) == (22 * SECOND, "b", "c")


def test_a_sliding_window_fires_as_a_rule_without_one_would() -> None:
    found = partition(rules("10s"))
    found.run([hit(1, id="a")])
    (command,) = (output for output in found.outputs if isinstance(output, Command))
    text = '["t","r","k",null,["s","a"],1000000,0]'
    assert command.id == hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


# ---------------------------------------------------------------- what keeps its state when rules change

RULE = rules(
    "10m", "n: '${sum(event.data.n)}'", "    when: event.data.n > 0\n    having: count() > 2\n    once_within: 1h\n"
)


@pytest.mark.parametrize(
    ("before", "after", "window", "throttle"),
    [
        ("count() > 2", "count()   >  2", True, True),
        ("count() > 2", "count() > 3", True, False),
        ("count() > 2", "sum(event.data.n) > 3", True, False),
        ("${sum(event.data.n)}", "in all ${avg( event.data.n )}", True, True),
        ("${sum(event.data.n)}", "${max(event.data.n)}", False, True),
        ("count() > 2", "last(event.data.n) > 3", False, False),
        ("over: 10m", "over: 11m", False, False),
        ("over: 10m", "over: {sliding: 10m}", True, True),
        ("over: 10m", "over: {sliding: 10m, limit: 5}", False, False),
        ("over: 10m", "over: {tumbling: 10m}", False, False),
        ("n > 0", "n > 1", False, False),
        ("once_within: 1h", "once_within: 2h", True, False),
    ],
)
def test_a_window_is_what_it_keeps_and_not_what_having_asks(
    before: str, after: str, window: bool, throttle: bool
) -> None:
    one, other = (
        compile_rules(load_sources({"r.yaml": each})).node_ids for each in (RULE, RULE.replace(before, after))
    )
    assert (one["rule `r`/window"] == other["rule `r`/window"]) is window
    assert (one["rule `r`/throttle"] == other["rule `r`/throttle"]) is throttle
