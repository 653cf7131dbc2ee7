"""Python rules in a log: whatever fails under agents and however work is cut, they decide the same, and replay so."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from replay.verify import verify
from rules.compile import compile_rules
from rules.load import from_document, load_sources
from rules.python.needed import ModulesMissing
from rules.simulation import Simulation
from streams.event import SKIPPED, Event, control
from streams.log import Append, Log
from streams.outputs import Command, Decision
from streams.state import decode_cell
from tests.agent.running import HOUR, Running, event
from tests.agent.test_any_crash import SLOW, Circumstances, agents, circumstances, with_doubles, work

PYTHON = """
from rules.python import Command, Emit, rule

@rule(on="payment.failed", state={"count": int, "amounts": list})
def escalate(event, state, now):
    state["count"] += 1
    state["amounts"] = [*state["amounts"], event.data["amount"]][-3:]
    if state["count"] % 2 == 0:
        yield Emit("card.suspected", {"sum": sum(state["amounts"])})

@rule(on="card.suspected", state={"times": int})
def block(event, state, now):
    state["times"] += 1
    return [Command("block", to="bank", args={"times": state["times"], "sum": event.data["sum"]})]
"""
PROCESSOR = compile_rules(load_sources({"rules.yaml": "ruleset: cards\n"}, {"cards.py": PYTHON}))


def loaded(document: bytes):
    return compile_rules(from_document(document, [("cards.py", PYTHON)]))


def failed(amount: object, card: str, id: str | None = None) -> Event:
    return event("payment.failed", card, id=id, amount=amount)


def told(history: list[Event]) -> set[tuple[str, bytes]]:
    simulation = Simulation(PROCESSOR)
    for each in history:
        simulation.event(each)
    return {(each.id, msgspec.json.encode(each.args)) for each in simulation.commands}


@given(circumstances)
@SLOW
def test_any_cut_any_crash_and_any_partitions_decide_the_same(given: Circumstances) -> None:
    history = [failed(place, f"card-{place % 3}", id=f"e{place}") for place in range(17)]
    with agents(given, [PROCESSOR]) as running:
        running.log.put_document(PROCESSOR.digest, PROCESSOR.ruleset.document)
        work(running, with_doubles(history, given.doubled), given.steps)
        running.settle()
        outputs = [each for partition in range(given.partitions) for each in running.outputs(partition)]
        commands = [(each.id, msgspec.json.encode(each.args)) for each in outputs if isinstance(each, Command)]
        assert len(commands) == len(set(commands)) == 8
        assert set(commands) == told(history)
        found = verify(running.log, lambda document: PROCESSOR)
        assert found.clean, found.text()


@pytest.fixture
def running(make_log, clock):
    log: Log = make_log()
    log.put_document(PROCESSOR.digest, PROCESSOR.ruleset.document)
    return Running(log, PROCESSOR, clock).activate()


def test_an_exception_parks_that_event_alone_and_other_keys_go_on(running: Running) -> None:
    running.publish(failed(1, "A"), failed(1, "B"), failed("text", "A", id="bad"), failed(2, "B"), failed(3, "A"))
    running.settle()
    (parked,) = [each for each in running.outputs() if isinstance(each, Decision)]
    assert (parked.verdict, parked.key, parked.id) == ("parked", "A", "bad")
    assert parked.reason.startswith("PythonRuleError: rule escalate (cards.py, line 9): TypeError: ")
    assert [command.key for command in running.commands()] == ["B"]
    for partition in range(running.log.info.partitions):
        running.log.append([Append(partition, [control(SKIPPED, {}, time=0, key="A")])])
    running.settle()
    # of one time, in two partitions: their order is that of their ids
    assert sorted((command.key, command.args["sum"]) for command in running.commands()) == [("A", 4), ("B", 3)]
    assert state(running, "A") == {"count": 2, "amounts": [1, 3]}
    found = verify(running.log, loaded)
    assert found.clean, found.text()


def state(running: Running, key: str) -> object:
    id = PROCESSOR.node_ids["rule `escalate`/state"]
    rows = [running.log.rows(partition, "rules", ["k" + key]) for partition in range(running.log.info.partitions)]
    (cell,) = [value for row in rows for value in row.values() if value is not None]
    return msgspec.msgpack.decode(decode_cell(cell).nodes[id])


def test_a_replay_without_the_file_says_which_is_missing(running: Running) -> None:
    running.publish(failed(1, "A")).settle()
    with pytest.raises(ModulesMissing, match=r"`cards\.py`"):
        verify(running.log, lambda document: compile_rules(from_document(document, [("cards.py", PYTHON + "#")])))


FRAGILE = """
from rules.python import Command, rule

@rule(on="order.forgotten", state={"n": int})
def fragile(event, state, now):
    state["n"] += 1
    if event.subject == "A":
        raise ValueError("a bug")
    return [Command("look", to="staff", args={"n": state["n"]})]
"""
FORGOTTEN = """
ruleset: orders
rules:
  forgotten: {on: order.placed, after: 1h, then: [{emit: order.forgotten}, {command: remind, to: mail}]}
"""


@pytest.mark.parametrize("by", ["a tick", "the next event of the key"])
def test_a_failure_at_what_a_deadline_emitted_is_counted_and_the_clock_goes_on(make_log, clock, by: str) -> None:
    """Nothing can be parked there: the tick is not at fault, nor the event that moves the clock."""
    processor = compile_rules(load_sources({"rules.yaml": FORGOTTEN}, {"orders.py": FRAGILE}))
    running = Running(make_log(1), processor, clock).activate()
    running.publish(event("order.placed", "A"), event("order.placed", "B")).settle()
    if by == "a tick":
        running.tick(2 * HOUR)
    else:
        running.publish(event("order.paid", "A", 2 * HOUR), event("order.paid", "B", 2 * HOUR))
    running.settle()
    commands = sorted((command.key, command.command) for command in running.commands())
    assert commands == [("A", "remind"), ("B", "look"), ("B", "remind")]
    assert not [each for each in running.outputs() if isinstance(each, Decision)]
    simulation = Simulation(processor)
    for each in (event("order.placed", "A"), event("order.placed", "B")):
        simulation.event(each)
    simulation.finish(2 * HOUR)
    assert sorted((command.key, command.command) for command in simulation.commands) == commands
    assert simulation.counts["not_evaluated|fragile"] == 1
    assert simulation.reasons["fragile"] == "rule fragile (orders.py, line 8): ValueError: a bug"
