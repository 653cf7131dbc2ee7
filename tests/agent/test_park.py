"""What cannot be evaluated is parked, its key waits, and waiting costs no more than a few bytes on disk."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest

from replay.verify import verify
from streams import park
from streams.event import SKIPPED, UNPARKED, control
from streams.log import Append
from streams.outputs import Decision
from streams.worker import FEW
from tests.agent.running import PoisonedBy, Running, counting, event


def test_a_poisoned_event_is_parked_and_only_its_key_waits_until_it_is_freed(make_log, clock):
    rules = PoisonedBy(counting())
    running = Running(make_log(1), rules, clock).activate()
    running.publish(event("paid", "A"), event("paid", "B"), event("bad", "A"), event("paid", "A"), event("paid", "B"))
    running.settle()
    assert running.row("totals", "A") == {"count": 1}
    assert running.row("totals", "B") == {"count": 2}
    parked = [output for output in running.outputs() if isinstance(output, Decision)]
    assert [(each.verdict, each.key, each.reason) for each in parked] == [("parked", "A", "a bug")]
    rules.cured = True
    running.log.append([Append(0, [control(UNPARKED, {}, time=0, key="A")])])
    running.publish(event("paid", "A")).settle()
    assert running.row("totals", "A") == {"count": 3}


def test_a_batch_may_hold_any_number_of_poisoned_events(make_log, clock):
    """A faulty producer's thousand in a row are parked one after the other."""
    running = Running(make_log(1), PoisonedBy(counting()), clock).activate()
    running.log.append([Append(0, [event("bad", f"K{number}") for number in range(1_200)] + [event("paid", "A")])])
    running.settle()
    assert sum(isinstance(output, Decision) for output in running.outputs()) == 1_200
    assert running.row("totals", "A") == {"count": 1}


def test_a_flood_of_poison_keeps_another_partition_waiting_for_a_few_commits_only(make_log, clock):
    running = Running(make_log(2), PoisonedBy(counting()), clock).activate().settle()
    flood = [event("bad", f"K{number % 150}") for number in range(300)]
    running.log.append([Append(0, flood)])
    agent = running.agent()
    agent.round()
    handled = []
    for _number in range(1, 5):
        running.log.append([Append(1, [event("paid", "A")])])
        agent.round()
        assert running.log.position(1, "rules") == running.log.tail(1)
        handled.append(running.log.position(0, "rules"))
    assert handled[-1] < 10 * FEW
    agent.leave()
    running.settle()
    parked = [output.key for output in running.outputs() if isinstance(output, Decision)]
    assert sorted(parked) == sorted({each.key for each in flood})
    assert running.log.position(0, "rules") == running.log.tail(0)


def test_a_parked_event_can_be_skipped(make_log, clock):
    running = Running(make_log(1), PoisonedBy(counting()), clock).activate()
    running.publish(event("bad", "A"), event("paid", "A"), event("paid", "A")).settle()
    assert running.row("totals", "A") is None
    running.log.append([Append(0, [control(SKIPPED, {}, time=0, key="A")])])
    running.settle()
    assert running.row("totals", "A") == {"count": 2}
    verdicts = [output.verdict for output in running.outputs() if isinstance(output, Decision)]
    assert verdicts == ["parked", "skipped"]


def test_unparking_what_is_still_poisoned_parks_it_again_and_keeps_the_order(make_log, clock):
    rules = PoisonedBy(counting())
    running = Running(make_log(1), rules, clock).activate()
    running.publish(event("bad", "A"), event("paid", "A"), event("bad", "A"), event("paid", "A")).settle()
    running.log.append([Append(0, [control(UNPARKED, {}, time=0, key="A")])])
    running.settle()
    assert running.row("totals", "A") is None
    rules.cured = True
    running.log.append([Append(0, [control(UNPARKED, {}, time=0, key="A")])])
    running.settle()
    assert running.row("totals", "A") == {"count": 2}


def test_data_that_cannot_be_decoded_is_parked(make_log, clock):
    running = Running(make_log(1), counting(), clock).activate()
    broken = event("paid", "A")
    broken = msgspec.structs.replace(broken, data=msgspec.Raw(b"[" * 5000 + b"]" * 5000))
    running.publish(event("paid", "A"), broken, event("paid", "A"), event("paid", "B")).settle()
    assert running.row("totals", "B") == {"count": 1}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(park, "CHUNK", 4)
    monkeypatch.setattr(park, "AT_ONCE", 6)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("page", [1, 7, 1000])
def test_what_waits_is_evaluated_in_order_by_bounded_commits_also_what_comes_meanwhile(make_log, clock, page):
    rules = PoisonedBy(counting())
    running = Running(make_log(1), rules, clock, page=page).activate()
    running.publish(event("bad", "A"), *(event("paid", "A") for _ in range(50)), event("paid", "B")).settle()
    rules.cured = True
    running.log.append([Append(0, [control(UNPARKED, {}, time=0, key="A")])])
    agent = running.agent()
    counts = []
    for _ in range(40):
        running.publish(event("paid", "A"))
        agent.round()
        counts.append((running.row("totals", "A") or {"count": 0})["count"])
    agent.leave()
    running.settle()
    assert running.row("totals", "A") == {"count": 90}
    assert max(later - earlier for earlier, later in pairwise(counts)) <= 6 + page
    assert not running.log.scan(0, "rules", "b", "", 10)
    assert not running.log.scan(0, "rules", "w", "", 10)
    third = [command.args["n"] for command in running.commands() if command.key == "A"]
    assert third == [3]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_parking_waiting_freeing_and_skipping_is_what_a_replay_finds(make_log, clock, seed):
    chance = random.Random(seed)
    rules = PoisonedBy(counting())
    log = make_log(1)
    log.put_document(rules.digest, b"")
    running = Running(log, rules, clock, page=chance.choice([1, 3, 50])).activate()
    bad = paid = 0
    for _ in range(30):
        kinds = [chance.choice(["paid", "paid", "paid", "bad"]) for _ in range(chance.randrange(9))]
        bad, paid = bad + kinds.count("bad"), paid + kinds.count("paid")
        running.publish(*(event(kind, "A") for kind in kinds))
        if chance.random() < 0.3:
            how = chance.choice([UNPARKED, SKIPPED])
            running.log.append([Append(0, [control(how, {}, time=0, key="A")])])
        if chance.random() < 0.7:
            running.settle()
    running.settle()
    found = verify(running.log, lambda body: rules)
    assert found.clean, found.text()
    for _ in range(bad + 1):
        running.log.append([Append(0, [control(SKIPPED, {}, time=0, key="A")])])
        running.settle()
    assert running.row("totals", "A") == ({"count": paid} if paid else None)
    skipped = [output for output in running.outputs() if isinstance(output, Decision) and output.verdict == "skipped"]
    assert len(skipped) == bad
    assert running.log.scan(0, "rules", "w", "", 10) == []
