"""What one key may hold, where ten thousand events are too many for a sentence: the reference and the rules, with small
caps. That there was no room is counted by both.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import generate_latest

from orchestrator.metrics import Metrics, Watched
from projections.query import Queries
from projections.stores.sqlite.store import QueryStore
from rules.compile import compile_rules
from rules.compile.limits import LIMITS, Limits
from rules.load import load_sources
from rules.model import window as model
from streams.backends.limits import LogLimits
from streams.backends.memory import MemoryLog
from streams.event import TICK, Event, control
from streams.owned import PartitionView
from tests.agent.running import event
from tests.oracle.document import read
from tests.oracle.naive import Oracle
from tests.oracle.partition import OnePartition

SECOND = 1_000_000
PAIRS = """
ruleset: t
rules:
  pair:
    sequence: [{one: {on: a}}, {two: {on: b}}]
    within: 1h
    then: [{command: pair, to: t, args: {one: "${one.id}", two: "${two.id}"}}]
"""
DIFFERENT = """
ruleset: t
rules:
  values:
    on: a
    over: OVER
    then: [{command: values, to: t, args: {d: "${distinct(event.data.n)}", c: "${count()}"}}]
"""


def a(at: int, type: str = "a", **data: object) -> Event:
    return event(type, "k", time=at * SECOND, id=f"{type}{at}", **data)


def told(text: str, log: list[Event], matches: int = LIMITS.matches) -> tuple[list[object], dict[str, int], set[str]]:
    """The args of all commands, and what is said of caps: how often, and where it was values."""
    partition = OnePartition(compile_rules(load_sources({"rules.yaml": text}), Limits(matches)))
    oracle = Oracle(read(text), most_matches=matches)
    for each in log:
        if each.type == TICK:
            oracle.tick(each.time)
        else:
            oracle.own(each)
    partition.run(log)
    args = [output[7] for output in oracle.outputs]
    assert args == [each.args for each in partition.commands()]
    capped = {name: n for name, n in partition.counts.items() if "_capped|" in name}
    assert capped.keys() == oracle.capped.keys() | oracle.crowded
    return args, capped, oracle.crowded


def test_of_too_many_matches_the_one_that_opened_first_goes_and_that_is_counted() -> None:
    log = [a(0), a(10), a(5), a(7), a(11), a(20, "b")]
    args, capped, _ = told(PAIRS, log, matches=3)
    assert args == [{"one": one, "two": "b20"} for one in ("a5", "a7", "a11")]
    assert capped == {"matches_capped|pair": 2}


def test_matches_that_ended_make_room() -> None:
    log = [a(0), a(1), a(2, "b"), a(3), a(4), a(5, "b"), a(4000), a(4001), a(4002, "b")]
    args, capped, _ = told(PAIRS, log, matches=2)
    assert len(args) == 6
    assert capped == {}


@pytest.mark.parametrize("over", ["{tumbling: 1h, limit: 2}", "{session: 1h, limit: 2}"])
def test_values_beyond_the_limit_of_a_window_that_closes_are_not_told_apart(over: str) -> None:
    log = [*(a(at, n=n) for at, n in enumerate([1, 1.0, 2, "3", 2, True])), control(TICK, {"limit": 9}, time=10**12)]
    args, capped, crowded = told(DIFFERENT.replace("OVER", over), log)
    assert args == [{"d": 2, "c": 6}]
    assert capped == {"window_capped|values": 2}
    assert crowded == {"window_capped|values"}


def test_each_step_of_a_window_has_room_for_so_many_values() -> None:
    log = [a(at, n=n) for at, n in [(0, 1), (1, 2), (2, 1), (10, 3), (11, 1), (12, 2)]]
    args, capped, _ = told(DIFFERENT.replace("OVER", "{sliding: 1h, step: 10s, limit: 1}"), log)
    assert args == [{"d": d, "c": c} for c, d in enumerate([1, 1, 1, 2, 2, 2], 1)]
    assert capped == {"window_capped|values": 3}


def test_without_a_word_the_caps_are_those_of_the_language() -> None:
    window = read(DIFFERENT.replace("OVER", "1h")).rules[0].over
    assert window is not None
    assert window.limit == model.MOST == 10_000
    assert Oracle(read(PAIRS)).most_matches == LIMITS.matches == 1_000


def test_servers_tell_of_both(tmp_path: Path) -> None:
    _, matches, _ = told(PAIRS, [a(0), a(1)], matches=1)
    _, window, _ = told(DIFFERENT.replace("OVER", "{sliding: 1h, limit: 1}"), [a(at, n=1) for at in range(3)])
    view = PartitionView(0, "running", "", 0, 0, 0, {**matches, **window}, {})
    metrics = Metrics()
    log = MemoryLog(1, lambda: 0, LogLimits())
    store = QueryStore(tmp_path / "query.db", log.info, [], notice=print)
    metrics.watch(
        Watched(
            log,
            Queries(store),
            views=lambda: [view],
            waiting=lambda: 0,
            deliveries=dict,
            disarmed=lambda: False,
            held=dict,
            outside=dict,
            stalled=lambda partition: False,
            shown=lambda partition: 0,
        )
    )
    shown = generate_latest(metrics.registry).decode()
    store.close()
    assert 'orchestrator_sequence_matches_dropped_total{rule="pair"} 1.0' in shown
    assert 'orchestrator_window_capped_total{rule="values"} 2.0' in shown
