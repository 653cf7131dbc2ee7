"""`keep` of a projection: a row that nothing touched for that long is no more, wherever somebody looks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.compile import compile_rules
from rules.load import load_sources
from rules.simulation import Simulation
from streams.event import TICK, control
from streams.state import NEVER
from tests.agent.running import event
from tests.oracle.partition import OnePartition

RULES = """
ruleset: kept
projections:
  seen:
    fold: {touch: {count: "has(row.count) ? row.count + 1 : 1"}}
    delete: [gone]
    keep: 10s
rules:
  ask:
    on: ask
    then: [{command: answer, to: t, args: {seen: "${has(seen.count) ? seen.count : 0}"}}]
  later:
    on: touch
    after: 10s
    then: [{command: later, to: t, args: {seen: "${has(seen.count)}"}}]
"""
SECOND = 1_000_000
PROCESSOR = compile_rules(load_sources({"rules.yaml": RULES}))


def at(second: float, type: str, key: str = "A") -> object:
    return event(type, key, time=int(second * SECOND))


def test_a_row_is_there_up_to_the_very_end_of_its_time_and_begins_anew_after_it() -> None:
    simulation = Simulation(PROCESSOR)
    for second, type in ((0, "touch"), (4, "touch"), (14, "ask"), (14, "touch"), (24.5, "ask"), (25, "touch")):
        simulation.event(at(second, type))
    answers = [command.args["seen"] for command in simulation.commands if command.command == "answer"]
    assert answers == [2, 0], "at 14 s it was touched 10 s ago, at 24.5 s more"
    assert simulation.row("seen", "A") == {"count": 1}


def test_what_is_due_at_the_moment_when_a_row_goes_still_reads_it() -> None:
    simulation = Simulation(PROCESSOR)
    simulation.event(at(0, "touch"))
    simulation.finish(20 * SECOND)
    assert [command.args["seen"] for command in simulation.commands] == [True]
    assert simulation.row("seen", "A") is None


def test_a_deleted_row_leaves_nothing_that_waits() -> None:
    partition = OnePartition(PROCESSOR)
    partition.run([at(0, "touch"), at(20, "gone")])
    cell = partition.cell("A")
    assert (cell.rows, cell.nodes, cell.due) == ({}, {}, NEVER)


def test_a_tick_removes_rows_of_keys_that_are_never_seen_again() -> None:
    partition = OnePartition(PROCESSOR)
    partition.run([at(0, "touch", key) for key in "ABC"])
    partition.run([control(TICK, {"limit": 100}, time=10 * SECOND)])
    assert partition.rows("seen").keys() == set("ABC")
    partition.run([control(TICK, {"limit": 100}, time=10 * SECOND + 1)])
    assert partition.rows("seen") == {}


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["touch", "ask", "gone", "tick"]))),
    st.sets(st.integers(0, 40)),
)
@settings(deadline=None)
def test_rows_are_as_a_list_of_touches_says_also_out_of_order(story: list[tuple[int, str]], cuts: set[int]) -> None:
    partition = OnePartition(PROCESSOR)
    log = [
        control(TICK, {"limit": 100}, time=second * SECOND) if type == "tick" else at(second, type)
        for second, type in story
    ]
    partition.run(log, cuts)
    clock, touched, count = -1, None, 0
    for second, type in story:
        clock = max(clock, second)
        if touched is not None and touched + 10 < clock:
            touched, count = None, 0
        if type == "touch":
            touched, count = clock, count + 1
        elif type == "gone":
            touched, count = None, 0
        if touched is not None and touched + 10 < clock:
            touched, count = None, 0
    assert partition.rows("seen") == ({"A": {"count": count}} if touched is not None else {})
