"""What a breaker, a rate or a pause holds back stays as it is, costs no attempt, and goes when it may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from aiohttp import web

from adapters.breaker import BreakerPolicy
from adapters.bucket import Rate
from adapters.gates import GatePolicy, Gates, Pause
from adapters.kind import Surroundings
from adapters.ledger import DELIVERY, State
from adapters.registry import load_targets
from adapters.work import Outcome, Verdict, Work
from streams.event import CLOSED, OPENED
from streams.log import Log, LogUnavailable
from streams.outputs import Asked
from streams.state import NEVER
from tests.adapters.delivering import Adapter, commit, decide, engine, entries, names, states, until
from tests.adapters.receiver import receiving
from tests.adapters.world import DONE, RETRY, RETURNED, World, ids
from tests.conformance.backends import Clock, Writer, owned

Make = Callable[..., World]
BREAKER = BreakerPolicy(failures=0.5, window=60.0, minimum=4, pause=30.0, longest=60.0)
BUSY = Outcome(Verdict.RETRY, "HTTP 429", retry_after=1.0)


@pytest.fixture
def world(make_world: Make) -> World:
    return make_world(gates={"police": GatePolicy(BREAKER, None), "bank": GatePolicy(BREAKER, None)})


def changes(world: World) -> list[str]:
    """What was told of breakers."""
    batch = world.log._log.read(0, 0, 10_000)
    return [event.type for event in batch.events if event.type in (OPENED, CLOSED)]


def trip(world: World) -> None:
    """Four of its commands fail."""
    world.decide("a1", "a2", "a3", "a4")
    world.turn(*((work, RETRY) for work in world.lease()))


def test_an_open_breaker_holds_everything_of_its_target_back_and_burns_no_attempt(world: World) -> None:
    trip(world)
    assert changes(world) == [OPENED]
    world.decide("c1", "c2")
    world.decide("b1", to="bank")
    world.clock.advance(29)
    turn = world.turn(limit=10)
    assert turn.works == []
    assert "police" not in turn.ready, "nobody is to ask again before the pause is over"
    assert turn.next_at == world.clock() + 1_000_000
    assert ids(world.lease(to="bank")) == ["b1"]
    assert {world.entry(name).attempts for name in ("c1", "c2")} == {0}
    assert {world.entry(name).attempts for name in ("a1", "a2", "a3", "a4")} == {1}


def test_after_the_pause_one_is_tried_and_its_success_lets_all_through(world: World) -> None:
    trip(world)
    world.clock.advance(30)
    (probe,) = world.lease()
    assert world.turn(limit=10).works == []
    world.turn((probe, DONE))
    assert changes(world) == [OPENED, CLOSED]
    assert len(world.lease()) == 3


def test_a_probe_in_vain_doubles_the_pause(world: World) -> None:
    trip(world)
    world.clock.advance(30)
    (probe,) = world.lease()
    world.turn((probe, RETRY))
    assert changes(world) == [OPENED, OPENED]
    world.clock.advance(59)
    assert world.lease() == []
    world.clock.advance(1)
    assert len(world.lease()) == 1


def test_a_probe_that_never_answers_makes_room_for_another_when_its_lease_is_over(world: World) -> None:
    trip(world)
    world.clock.advance(30)
    (probe,) = world.lease(ttl=60.0)
    world.clock.advance(59)
    assert world.lease() == []
    world.clock.advance(2)
    (other,) = world.lease()
    assert other.id != probe.id or other.attempt > probe.attempt


def test_a_probe_that_is_given_back_makes_room_at_once(world: World) -> None:
    trip(world)
    world.clock.advance(30)
    (probe,) = world.lease()
    world.turn((probe, RETURNED))
    assert len(world.lease()) == 1
    assert changes(world) == [OPENED]


def test_a_probe_is_under_way_for_as_long_as_its_lease_lasts(world: World) -> None:
    trip(world)
    world.clock.advance(30)
    (probe,) = world.lease(ttl=10.0)
    world.turn((probe, Outcome(Verdict.HELD, retry_after=40.0)))
    world.clock.advance(39)
    assert world.lease() == []
    world.clock.advance(2)
    assert len(world.lease()) == 1


def test_what_was_sent_before_it_opened_is_no_probe(world: World) -> None:
    world.decide("late", "later")
    late, later = world.lease()
    trip(world)
    world.clock.advance(30)
    world.turn((late, RETRY))
    assert changes(world) == [OPENED], "it does not say that the target is down now…"
    world.turn((later, DONE))
    assert changes(world) == [OPENED], "…nor that it is well"
    (probe,) = world.lease()
    world.turn((probe, DONE))
    assert changes(world) == [OPENED, CLOSED]


def test_an_attempt_counts_once_though_its_turn_fails_and_is_taken_again(world: World) -> None:
    world.decide("a1", "a2", "a3", "a4")
    work, *_ = world.lease()
    for _ in range(4):
        world.log.reading_fails = "outputs"
        with pytest.raises(LogUnavailable):
            world.turn((work, RETRY))
    world.turn()
    assert changes(world) == []


def test_another_owner_finds_the_breaker_as_it_was(world: World) -> None:
    trip(world)
    world.restart()
    assert world.lease() == []
    world.clock.advance(30)
    (probe,) = world.lease()
    world.turn((probe, DONE))
    world.restart()
    assert len(world.lease()) == 3


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_change_is_told_once_though_a_commit_fails(world: World, how: str) -> None:
    world.decide("a1", "a2", "a3", "a4")
    works = world.lease()
    world.log.commit_fails = how
    with pytest.raises(Exception, match="commit"):
        world.turn(*((work, RETRY) for work in works))
    world.turn()
    assert changes(world) == [OPENED]
    world.restart()
    world.clock.advance(29)
    assert world.lease() == []


def test_an_answer_that_names_a_time_and_one_that_is_final_say_nothing_against_the_target(world: World) -> None:
    world.decide(*(f"c{number}" for number in range(8)))
    works = world.lease()
    world.turn(*((work, BUSY) for work in works[:4]))
    world.turn(*((work, Outcome(Verdict.FINAL, "HTTP 400")) for work in works[4:]))
    assert changes(world) == []
    world.clock.advance(1)
    assert len(world.lease()) == 4


def test_a_rate_lets_so_many_through_in_a_time(make_world: Make) -> None:
    world = make_world(gates={"police": GatePolicy(None, Rate(10, 1.0, 2.0))})
    world.decide(*(f"c{number}" for number in range(9)))
    assert len(world.turn(limit=100).works) == 2
    turn = world.turn(limit=100)
    assert turn.works == []
    assert "police" not in turn.ready
    assert turn.next_at == world.clock() + 100_001
    world.clock.advance(0.15)
    assert len(world.turn(limit=100).works) == 1
    world.clock.advance(0.15)
    assert len(world.turn(limit=100).works) == 2


def test_turns_of_two_partitions_at_the_same_time_do_not_both_use_the_same_room() -> None:
    gates = Gates({"police": GatePolicy(BREAKER, Rate(10, 1.0, 5.0))})
    assert gates.reserve(0, "police", 4, now=1) == 4
    assert gates.reserve(1, "police", 4, now=1) == 1
    gates.lent("police", {"c1": 100}, 4, now=1)
    assert gates.reserve(1, "police", 4, now=1) == 3, "what one did not use is for others"


def test_turns_at_the_same_time_do_not_try_more_than_the_probes() -> None:
    gates = Gates({"police": GatePolicy(BREAKER)})
    for number in range(4):
        gates.record("police", f"c{number}", 1, RETRY, now=1)
    after = 1 + 30_000_000
    assert gates.reserve(0, "police", 10, now=after) == 1
    assert gates.reserve(1, "police", 10, now=after) == 0
    gates.lent("police", {}, 1, now=after)
    assert gates.reserve(1, "police", 10, now=after) == 1


def test_of_partitions_that_others_deliver_from_nothing_is_said() -> None:
    gates = Gates({"police": GatePolicy()})
    gates.pause(0, "police", Pause(1, "they move house"))
    assert gates.problems(now=2) == {"police": "paused: they move house"}
    gates.leave(0)
    assert gates.problems(now=2) == {}


def test_what_is_given_back_may_go_instead_of_another(make_world: Make) -> None:
    world = make_world(gates={"police": GatePolicy(None, Rate(10, 1.0, 2.0))})
    world.decide("c1", "c2")
    works = world.lease(2)
    world.turn(*((work, RETURNED) for work in works))
    assert len(world.turn(limit=100).works) == 2


def test_a_paused_target_is_given_nothing_until_it_is_resumed(world: World) -> None:
    world.decide("c1", "c2")
    (first,) = world.lease(1)
    world.ask("pause", "police", reason="they move house")
    world.turn()
    turn = world.turn((first, DONE), limit=10)
    assert world.state("c1") is State.DONE, "what is being sent ends as ever"
    assert turn.works == []
    assert "police" not in turn.ready
    assert turn.next_at == NEVER
    world.restart()
    assert world.lease() == []
    assert world.entry("c2").attempts == 0
    world.ask("resume", "police")
    world.turn()
    assert ids(world.lease()) == ["c2"]


async def test_a_real_receiver_that_goes_down_is_left_alone_and_found_again_when_it_is_back(
    log: Log, clock: Clock
) -> None:
    """With a breaker from the file; commands of three partitions share it."""
    leases = [decide(log, *names(f"p{p}-", 60), partition=p) for p in range(3)]
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.Response(status=503)
        text = f"""
targets:
  police:
    kind: webhook
    url: {receiver.url}
    allow: [127.0.0.1/32]
    concurrency: 4
    retry: {{initial: 1ms, max: 1ms, attempts: 100}}
    breaker: {{minimum: 10, pause: 20s}}
"""
        target = load_targets(text, "targets.yaml", Surroundings(clock, lambda _: None))["police"]
        async with engine(log, target, clock=clock, leases=leases) as delivery:
            await until(lambda: any(event.type == OPENED for p in range(3) for event in log.read(p, 0, 1_000).events))
            seen = len(receiver.requests)
            assert seen <= 10 + 2 * 4, "what was being sent when it opened"
            for partition in range(3):
                delivery.notify(partition)
            await until(lambda: all("in_flight" not in states(log, p).values() for p in range(3)))
            assert len(receiver.requests) <= 10 + 2 * 4
            attempts = sum(entry.attempts for p in range(3) for entry in entries(log, p).values())
            assert attempts == len(receiver.requests), "what was given back untried is no attempt"
            receiver.answer = lambda number, request: web.Response(status=204)
            clock.advance(21)
            for partition in range(3):
                delivery.notify(partition)
            await until(lambda: all(set(states(log, p).values()) == {"done"} for p in range(3)))


async def test_what_was_leased_ahead_is_not_sent_once_its_target_is_paused(log: Log, clock: Clock) -> None:
    rules, police = Writer(log), Adapter()
    commit(rules, *names("c", 50))

    async def pause(work: Work) -> Outcome:
        rules.commit(outputs=[Asked("pause", ("police",), "enough")])
        delivery.notify(0)
        await until(lambda: log.rows(0, DELIVERY, ["#paused|police"]))
        return DONE

    police.act = pause
    lease = owned(log, role=DELIVERY)
    async with engine(log, police.target(concurrency=1), clock=clock, leases=[lease]) as delivery:
        await until(lambda: Counter(states(log).values()) == {"done": 1, "pending": 49})
    assert len(police.works) == 1
