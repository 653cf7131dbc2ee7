"""Leases of workers elsewhere, in the ledger: they hold whoever owns the partition, and count for nothing once over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.ledger import State
from adapters.turn import Ack, Bounds, Turn, Want
from adapters.work import Outcome, Verdict, Work
from streams.log import Log
from tests.adapters.world import DONE, FINAL, RETRY, RETURNED, World, ids
from tests.conformance.backends import Clock

Make = Callable[..., World]


@pytest.fixture
def make_world(log: Log, clock: Clock) -> Make:
    def make(**options: Any) -> World:
        return World(log, clock, **options)

    return make


@pytest.fixture
def world(make_world: Make) -> World:
    return make_world()


def lend(world: World, limit: int = 100, ttl: float = 60.0) -> list[Work]:
    return turn(world, want=Want("police", limit, ttl, outside=True)).works


def turn(world: World, *acks: Ack, want: Want | None = None) -> Turn:
    return world.delivery.turn(world.clock(), acks, [want] if want is not None else [])


def say(world: World, work: Work, outcome: Outcome) -> Ack:
    ack = Ack(work, outcome, fenced=True)
    while not turn(world, ack).answers:
        pass
    return ack


def test_a_new_owner_honours_what_is_lent_until_its_time_is_over(world: World) -> None:
    world.decide("c1", "c2")
    first, second = lend(world, ttl=10.0)
    world.restart()
    world.clock.advance(5)
    assert world.lease() == []
    assert say(world, first, DONE).told is not None
    assert world.state("c1") is State.DONE
    world.clock.advance(6)
    world.turn()
    assert (world.state("c2"), world.entry("c2").history[-1].verdict) == (State.RETRYING, "lease_expired")
    assert say(world, second, DONE).told is None


def test_a_lease_that_ran_out_while_nobody_owned_the_partition_counts_as_an_attempt(world: World) -> None:
    world.decide("c1")
    (work,) = lend(world, ttl=10.0)
    world.clock.advance(20)
    world.restart()
    world.turn()
    assert world.state("c1") is State.RETRYING
    assert [attempt.verdict for attempt in world.entry("c1").history] == ["lease_expired"]
    assert say(world, work, DONE).told is None


def test_the_answer_to_a_new_owner_may_be_the_first_it_hears_of_the_lease(make_world: Make) -> None:
    world = make_world(bounds=Bounds())
    world.decide("c1")
    (work,) = lend(world)
    world.restart()
    ack = Ack(work, DONE, fenced=True)
    assert [changed for _, changed in turn(world, ack).answers] == [True]


@pytest.mark.parametrize("outcome", [DONE, FINAL, RETRY, RETURNED, Outcome(Verdict.HELD, retry_after=9.0)])
def test_without_the_lease_nothing_is_changed_even_if_it_was_done(world: World, outcome: Outcome) -> None:
    world.decide("c1")
    (late,) = lend(world, ttl=1.0)
    world.clock.advance(1)
    world.turn()
    world.clock.advance(60)
    (work,) = lend(world)
    before = world.entry("c1")
    assert say(world, late, outcome).told is None
    assert world.entry("c1") == before
    assert say(world, work, DONE).told is not None


@pytest.mark.parametrize("outcome", [DONE, FINAL, RETRY, RETURNED, Outcome(Verdict.DEFERRED, retry_after=9.0)])
def test_the_same_said_again_is_known_and_another_outcome_is_not(world: World, outcome: Outcome) -> None:
    world.decide("c1")
    (work,) = lend(world)
    first, second = say(world, work, outcome), say(world, work, outcome)
    assert (first.told is not None, second.told) == (True, first.told)
    other = FINAL if outcome is not FINAL else DONE
    assert say(world, work, other).told is None


def test_each_lease_of_a_command_is_later_than_the_one_before(world: World) -> None:
    world.decide("c1")
    (first,) = lend(world)
    say(world, first, RETURNED)
    (second,) = lend(world)  # at the same moment of the clock
    assert (second.attempt, second.leased_at > first.leased_at) == (first.attempt, True)
    assert say(world, first, DONE).told is None
    assert world.state("c1") is State.IN_FLIGHT


def test_a_lease_that_is_prolonged_lasts_that_long_from_then(world: World) -> None:
    world.decide("c1")
    (work,) = lend(world, ttl=10.0)
    world.clock.advance(9)
    told = say(world, work, Outcome(Verdict.HELD, retry_after=10.0)).told
    assert told is not None
    assert (told.state, told.deadline) == (State.IN_FLIGHT, world.clock() + 10_000_000)
    world.restart()
    world.clock.advance(9)
    assert (world.lease(), world.state("c1")) == ([], State.IN_FLIGHT)
    assert say(world, work, DONE).told is not None
    assert world.entry("c1").attempts == 1


def test_no_more_is_lent_than_may_be_and_the_rest_follows(make_world: Make) -> None:
    world = make_world(bounds=Bounds(lent=3))
    world.decide("c1", "c2", "c3", "c4", "c5")
    works = lend(world)
    found = turn(world, want=Want("police", 100, 60.0, outside=True))
    assert (ids(works), found.works, "police" in found.ready) == (["c1", "c2", "c3"], [], False)
    assert found.next_at < world.clock() + 1_000_000
    say(world, works[0], DONE)
    assert ids(lend(world)) == ["c4"]
