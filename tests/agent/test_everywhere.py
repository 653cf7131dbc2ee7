"""Rows with `scope: everywhere` reach every partition of a log, once, whatever happens on the way."""

import pytest
from hypothesis import given

from replay.verify import verify
from rules.compile import compile_rules
from rules.load import from_document, load_sources
from streams.keys import partition_of
from streams.outputs import Command
from tests.agent.running import SECOND, Running, event
from tests.agent.test_any_crash import SLOW, Circumstances, agents, assert_replays, circumstances, work

RULES = """
ruleset: cards
projections:
  blocked:
    fold: {card.blocked: {reason: event.data.reason}}
    delete: [card.freed]
    scope: everywhere
rules:
  refuse:
    on: payment
    when: event.data.card in blocked
    then: [{command: refuse, to: bank, args: {why: "${blocked[event.data.card].reason}"}}]
"""
CUSTOMERS = [f"customer-{number}" for number in range(24)]


@pytest.fixture
def running(make_log, clock):
    processor = compile_rules(load_sources({"rules.yaml": RULES}))
    log = make_log()
    log.put_document(processor.digest, processor.ruleset.document)
    return Running(log, processor, clock).activate()


def payments(second: int, card: str) -> list:
    return [event("payment", customer, time=second * SECOND, card=card) for customer in CUSTOMERS]


def test_what_is_copied_is_read_in_all_partitions_until_it_is_deleted(running) -> None:
    assert len({partition_of(customer, 4) for customer in CUSTOMERS}) == 4
    running.publish(event("card.blocked", "c1", time=SECOND, reason="stolen")).settle()
    running.publish(*payments(2, "c1")).settle()
    assert sorted(command.key for command in running.commands()) == sorted(CUSTOMERS)
    running.publish(event("card.freed", "c1", time=3 * SECOND)).settle()
    running.publish(*payments(4, "c1")).settle()
    assert len(running.commands()) == len(CUSTOMERS)
    found = verify(running.log, lambda document: compile_rules(from_document(document)))
    assert found.clean, found.text()


@given(circumstances)
@SLOW
def test_a_copy_arrives_once_and_in_order_whatever_fails_on_its_way(given: Circumstances) -> None:
    processor = compile_rules(load_sources({"rules.yaml": RULES}))
    changes = [event("card.blocked", "c1", time=1, reason=str(number)) for number in range(9)]
    changes.insert(5, event("card.freed", "c1", time=1))
    with agents(given, [processor]) as running:
        work(running, changes, given.steps)
        running.settle()
        running.publish(payments(2, "c1"))
        running.settle()
        outputs = [each for partition in range(given.partitions) for each in running.outputs(partition)]
        decided = {each.key: each.args["why"] for each in outputs if isinstance(each, Command)}
        assert decided == dict.fromkeys(CUSTOMERS, "8")
        assert_replays(running, [processor])
