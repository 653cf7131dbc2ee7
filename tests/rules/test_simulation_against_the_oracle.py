"""The reference run and a naive reading of RULES.md §13 say the same, for any number of partitions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.simulation import Simulation
from streams.event import TICK, Event, control
from streams.outputs import Command
from tests.oracle.histories import histories
from tests.oracle.partition import OnePartition, plain, written
from tests.oracle.rulesets import OF_ONE_KEY, Drawn, rulesets

SLOW = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def simulated(drawn: Drawn, events: list[Event], partitions: int, until: int | None) -> Simulation:
    simulation = Simulation(drawn.compiled(), partitions)
    for event in events:
        simulation.event(event)
    simulation.finish(until)
    return simulation


@given(rulesets(crossing=True), histories(keyed=True), st.integers(1, 8), st.sampled_from([None, 0, 120, 1000]))
@SLOW
def test_the_reference_run_is_what_the_rules_say_for_any_number_of_partitions(
    drawn: Drawn, events: list[Event], partitions: int, until: int | None
) -> None:
    events = [*events, *events[:2]]
    until = None if until is None else until * 1_000_000
    simulation = simulated(drawn, events, partitions, until)
    oracle = drawn.oracle(shared=True)
    oracle.simulate(events, until)
    told = [plain(output, {}) for output in simulation.outputs]
    assert told == oracle.outputs
    assert written(told) == written(oracle.outputs)
    for (name, key), row in oracle.rows.all.items():
        assert simulation.row(name, key) == row
    counted = {name.split("|")[1]: n for name, n in simulation.counts.items() if name.startswith("not_evaluated|")}
    assert counted == oracle.unevaluated
    assert simulation.late == oracle.late
    assert simulation.events == len(oracle.seen)


@given(rulesets(constructs=OF_ONE_KEY), histories(ticks=False))
@SLOW
def test_in_order_of_time_a_live_log_that_is_ticked_at_the_end_gives_the_same_commands(
    drawn: Drawn, events: list[Event]
) -> None:
    """The promise of RULES.md §13 for rules that do not cross keys: simulation, import and live run are one."""
    events.sort(key=lambda event: event.time)
    simulation = simulated(drawn, events, 1, 10_000 * 1_000_000)
    partition = OnePartition(drawn.compiled())
    partition.run([*events, ticked(10_000)])
    live = [output for output in partition.outputs if isinstance(output, Command)]
    assert Counter(map(shown, live)) == Counter(map(shown, simulation.commands))


def ticked(time: int) -> Event:
    return control(TICK, {"limit": 1_000_000}, time=time * 1_000_000)


def shown(command: Command) -> Any:
    return plain(command, {})[:7], repr(command.args)
