"""`scope: everywhere`: small tables that every rule reads by key, whatever key it works for itself."""

import pytest

from rules.compile import compile_rules
from rules.diagnostics import RuleErrors
from rules.load import load_sources
from rules.simulation import Simulation
from streams.event import COPIED, Copied, Event, control
from streams.keys import partition_of
from streams.outputs import Copy
from tests.agent.running import event
from tests.oracle.partition import OnePartition

RULES = """
ruleset: cards
projections:
  blocked:
    fold: {card.blocked: {reason: event.data.reason, since: event.time}}
    delete: [card.freed]
    keep: 1h
    scope: everywhere
rules:
  refuse:
    on: payment
    when: event.data.card in blocked
    then:
      - {command: refuse, to: bank, args: {why: "${blocked[event.data.card].reason}", of: "${size(blocked)}"}}
  ask-later:
    on: payment
    after: 1m
    unless: {on: payment.checked, when: start.data.card in blocked}
    then: [{command: check, to: bank, args: {blocked: "${event.data.card in blocked}"}}]
"""
PROCESSOR = compile_rules(load_sources({"rules.yaml": RULES}))
SECOND = 1_000_000


def block(card: str, second: int, reason: str = "stolen") -> Event:
    return event("card.blocked", card, time=second * SECOND, reason=reason)


def pay(customer: str, card: str, second: int) -> Event:
    return event("payment", customer, time=second * SECOND, card=card)


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_rules_of_all_keys_read_the_rows_of_any(partitions: int) -> None:
    simulation = Simulation(PROCESSOR, partitions)
    story = [pay("A", "c1", 0), block("c1", 1), block("c2", 1, "lost"), pay("A", "c1", 2), pay("B", "c2", 3)]
    story += [event("card.freed", "c1", time=4 * SECOND), pay("B", "c1", 5)]
    for each in story:
        simulation.event(each)
    refused = [(each.key, each.args) for each in simulation.commands if each.command == "refuse"]
    assert refused == [("A", {"why": "stolen", "of": 2}), ("B", {"why": "lost", "of": 2})]
    simulation.finish(50 * SECOND + 60 * SECOND)
    asked = [(each.key, each.args["blocked"]) for each in simulation.commands if each.command == "check"]
    assert asked == [("A", False), ("A", False), ("B", True), ("B", False)], "as it is a minute later"


def test_a_row_that_is_not_kept_longer_goes_everywhere() -> None:
    simulation = Simulation(PROCESSOR, 4)
    simulation.event(block("c1", 0))
    simulation.event(pay("A", "c1", 3600))
    simulation.event(pay("A", "c1", 3601))
    assert [each.at for each in simulation.commands if each.command == "refuse"] == [3600 * SECOND]


def test_the_owner_reads_its_row_at_once_and_sends_it_to_the_others() -> None:
    owner, other = OnePartition(PROCESSOR), OnePartition(PROCESSOR)
    owner.run([block("c1", 0), pay("A", "c1", 1)])
    assert [output.args["why"] for output in owner.commands()] == ["stolen"]
    sent = [output for output in owner.outputs if isinstance(output, Copy)]
    assert [(each.key, each.row) for each in sent] == [("c1", {"reason": "stolen", "since": "1970-01-01T00:00:00Z"})]
    other.run([pay("B", "c1", 1)])
    assert other.commands() == [], "a copy is there when it arrives"
    other.run([arrived(each) for each in sent])
    other.run([pay("B", "c1", 2)])
    assert [output.args["why"] for output in other.commands()] == ["stolen"]


def arrived(copy: Copy) -> Event:
    return control(COPIED, Copied(copy.projection, copy.row, 0, copy.offset), time=copy.time, key=copy.key)


def test_rows_of_other_keys_need_that_scope() -> None:
    text = RULES.replace("scope: everywhere", "scope: key").replace("event.data.card in blocked", "has(blocked.reason)")
    with pytest.raises(RuleErrors) as raised:
        load_sources({"rules.yaml": text.replace("size(blocked)", "1")})
    assert [each.code for each in raised.value.diagnostics] == ["other-key"]
    assert "scope: everywhere" in raised.value.diagnostics[0].message


def test_every_key_has_its_own_partition() -> None:
    assert len({partition_of(key, 8) for key in ("A", "B", "c1", "c2")}) > 1, "or the tests above show nothing"
