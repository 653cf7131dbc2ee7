"""Whatever way an event takes through a window, and wherever a log is cut, the same comes out.

Most events of an exact window run through generated code, the others through the general way, windows of many events
lie in parts: all of these are held against a scan of everything that the rule met.
"""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.compile import compile_rules
from rules.compile.triggers import sliding
from rules.load import load_sources
from rules.nodes import window_elements
from rules.processor import RulesProcessor
from rules.simulation import Simulation
from streams import outputs
from streams.event import OUTSIDE, TICK, Event, control, fingerprint
from streams.outputs import Command
from tests.oracle.partition import OnePartition

SECOND = 1_000_000
SLOW = settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
AGGREGATES = {
    "count": "count()",
    "sum": "sum(event.data.n)",
    "avg": "avg(event.data.n)",
    "min": "min(event.data.n)",
    "max": "max(event.data.n)",
    "distinct": "distinct(event.data.m)",
    "first": "first(event.data.m)",
    "last": "last(event.id)",
}
OVERS = ["7s", "30s", "{sliding: 30s, limit: 5}", "{last: 4}", "{last: 12}", "{sliding: 12s, step: 5s}"]
CLOSING = ["{tumbling: 7s}", "{session: 3s}"]
HAVING = ["true", "count() > 2", "sum(event.data.n) > 3 && count() > 1", "min(event.data.n) < event.data.n", "x > 1"]
SCHEMA = "{hit: {n: number, m: any}}"
CUTS = st.sets(st.integers(0, 40))


@cache
def processor(over: str, having: str = "true", lateness: int = 0, way: str = "", schema: str = "{}") -> RulesProcessor:
    """Compiled once for each `way`: code is generated at the first event, and stays as it was made then."""
    args = ", ".join(f"{name}: '${{{call}}}'" for name, call in AGGREGATES.items())
    text = f"""
ruleset: t
lateness: {lateness}s
events: {schema}
rules:
  r:
    on: hit
    over: {over}
    let: {{x: event.data.n}}
    having: {having}
    then: [{{command: c, to: t, args: {{{args}, x: '${{x}}'}}}}]
"""
    return compile_rules(load_sources({"rules.yaml": text}))


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """About in order of time, with ticks."""
    made: list[Event] = []
    time = 100
    for place in range(draw(st.integers(1, 50))):
        time += draw(st.sampled_from([0, 0, 1, 1, 2, 9]))
        shown = time - draw(st.sampled_from([0, 0, 0, 0, 1, 6]))
        if draw(st.integers(0, 9)) == 0:
            made.append(control(TICK, {"limit": 2}, time=shown * SECOND, id=f"t{place}"))
            continue
        data = {
            "n": draw(st.sampled_from([0, 1, 2, 0.5, 0.1, -3, 7.0, 2**53 + 1, -(2**60)])),
            "m": draw(st.sampled_from(["a", "b", 1, 1.0, None])),
        }
        key, raw = draw(st.sampled_from(["k", "k", "l"])), msgspec.Raw(json.dumps(data).encode())
        id = f"e{place}"
        made.append(Event("hit", shown * SECOND, key, key, "s", id, fingerprint("s", id), raw, OUTSIDE))
    return made


def run(rules: RulesProcessor, log: list[Event], cuts: set[int] = frozenset()) -> OnePartition:  # type: ignore[assignment]
    found = OnePartition(rules)
    found.run(log, cuts)
    return found


def commands(found: OnePartition | Simulation) -> list[Command]:
    return [output for output in found.outputs if isinstance(output, Command)]


# ---------------------------------------------------------------- a scan of everything


def scanned(log: list[Event], span: int, lateness: int, limit: int) -> list[tuple[str, int, Any, Any]]:
    """(id, count, sum, distinct) at each event that an exact window looks at."""
    found: list[tuple[str, int, Any, Any]] = []
    clocks: dict[str, int] = {}
    held: dict[str, list[Event]] = {}
    tick = -(2**62)
    for event in log:
        if event.type == TICK:
            tick = max(tick, event.time)
            continue
        clock = clocks[event.key] = max(clocks.get(event.key, -(2**62)), event.time - lateness)
        clock = max(clock, tick)
        if event.time <= clock - span:
            continue
        mine = held.setdefault(event.key, [])
        mine.append(event)
        known = sorted((each for each in mine if each.time > clock - span), key=lambda each: each.time)[-limit:]
        seen = [each.payload() for each in known if event.time - span < each.time <= event.time]
        if seen:
            total = sum(Fraction(data["n"]) for data in seen)
            whole = int(total) if total.denominator == 1 else float(total)
            found.append((event.id, len(seen), whole, len({repr(data["m"]).removesuffix(".0") for data in seen})))
    return found


@pytest.mark.parametrize("part", [1, 2, 128])
@given(histories(), st.sampled_from([0, 0, 2, 20]), st.sampled_from(["7s", "30s", "{sliding: 30s, limit: 5}"]))
@SLOW
def test_an_exact_window_is_what_a_scan_finds(part: int, log: list[Event], lateness: int, over: str) -> None:
    span, limit = (7 if over == "7s" else 30) * SECOND, 5 if "limit" in over else 10_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_elements, "PART", part)
        patch.setattr(sliding, "PART", part)
        found = run(processor(over, lateness=lateness, way=f"parts of {part}"), log, set(range(0, 50, 3)))
    told = [(each.cause, each.args["count"], each.args["sum"], each.args["distinct"]) for each in commands(found)]
    assert told == scanned(log, span, lateness * SECOND, limit)


# ---------------------------------------------------------------- ways, cuts, partitions


@given(
    histories(),
    st.sampled_from(["7s", "{sliding: 30s, limit: 5}"]),
    st.sampled_from(HAVING),
    st.sampled_from([0, 4]),
    st.sampled_from(["{}", SCHEMA]),
)
@SLOW
def test_generated_code_and_the_general_way_do_the_same(
    log: list[Event], over: str, having: str, lateness: int, schema: str
) -> None:
    quick = run(processor(over, having, lateness, schema=schema), log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sliding.Sliding, "meet", property(lambda self: self._slowly))
        slow = run(processor(over, having, lateness, "general"), log)
    assert outputs.encode(quick.outputs) == outputs.encode(slow.outputs)
    assert quick.stored == slow.stored
    assert quick.counts == slow.counts


@given(histories(), st.sampled_from([*OVERS, *CLOSING]), st.sampled_from(HAVING), st.sampled_from([0, 4]), CUTS)
@SLOW
def test_a_log_gives_the_same_however_it_is_cut(
    log: list[Event], over: str, having: str, lateness: int, cuts: set[int]
) -> None:
    ruleset = processor(over, having, lateness)
    whole, cut, each = run(ruleset, log), run(ruleset, log, cuts), run(ruleset, log, set(range(60)))
    for other in (cut, each):
        assert outputs.encode(other.outputs) == outputs.encode(whole.outputs)
        assert other.stored == whole.stored
        assert other.counts == whole.counts


@given(histories(), st.sampled_from([*OVERS, *CLOSING]), st.sampled_from(HAVING), st.integers(2, 8))
@SLOW
def test_partitions_make_no_difference(log: list[Event], over: str, having: str, partitions: int) -> None:
    found = []
    for number in (1, partitions):
        simulation = Simulation(processor(over, having), number)
        for event in log:
            simulation.event(event)
        simulation.finish(1_000 * SECOND)
        found.append([(each.id, each.args) for each in commands(simulation)])
    assert found[0] == found[1]


@given(histories(), st.sampled_from([*OVERS, *CLOSING]))
@SLOW
def test_what_a_key_keeps_is_gone_when_time_has_passed(log: list[Event], over: str) -> None:
    found = run(processor(over), [*log, control(TICK, {"limit": 10}, time=10_000 * SECOND)])
    kept = [key for key in found.stored if found.cell(key).nodes]
    assert bool(kept) == ("last" in over and any(event.type == "hit" for event in log))
