"""What people ask for commands comes as outputs: done once, for those whose state allows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.ledger import CURSOR, DELIVERY, State
from streams.log import Code, Commit, LogUnavailable
from tests.adapters.world import DONE, FINAL, POLICY, RETRY, World, ids

Make = Callable[..., World]


def test_parked_commands_are_redriven_with_a_round_of_their_own(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, FINAL))
    world.ask("redrive", "c1", "c1")
    world.turn()
    assert world.state("c1") is State.PENDING
    for attempt in range(2, POLICY.attempts + 2):
        (work,) = world.lease()
        assert (work.attempt, work.attempts_before) == (attempt, 1)
        world.turn((work, RETRY))
        world.clock.advance(60)
    world.ask("redrive", "c1")
    (work,) = world.lease()
    assert (work.attempt, work.attempts_before) == (6, 5)
    world.turn((work, DONE))
    assert world.told() == [("parked", "c1"), ("parked", "c1"), ("succeeded", "c1")]
    assert len({event.id for event in world.results()}) == 3
    assert [event.payload()["attempts"] for event in world.results()] == [1, 5, 6]


def test_those_that_are_not_parked_any_more_are_left(world: World) -> None:
    world.decide("c1", "c2", "c3")
    first, _, third = world.lease()
    world.turn((first, FINAL), (third, FINAL))
    world.ask("redrive", "c1", "c2", "c3", "nope", CURSOR)
    assert world.turn().counts == {"redriven|police": 2}
    assert [world.state(name) for name in ("c1", "c2", "c3")] == [State.PENDING, State.IN_FLIGHT, State.PENDING]
    works = world.lease()
    assert ids(works) == ["c1", "c3"]
    world.ask("redrive", "c1", "c3")
    assert world.turn().counts == {}


def test_what_cannot_be_sent_stays_parked(world: World) -> None:
    world.decide("c1", to="nobody")
    world.turn()
    world.ask("redrive", "c1")
    assert world.turn().counts == {}
    assert world.state("c1") is State.PARKED


def test_a_command_may_be_redriven_in_the_turn_that_parks_it(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.ask("redrive", "c1")
    turn = world.turn((work, FINAL), limit=1)
    assert ids(turn.works) == ["c1"]
    assert turn.works[0].attempt == 2
    assert world.told() == [("parked", "c1")]


def test_what_waits_or_is_parked_can_be_cancelled(world: World) -> None:
    world.decide("c1", "c2", "c3", "c4")
    first, second = world.lease(limit=2)
    world.turn((first, RETRY), (second, FINAL))
    world.ask("cancel", "c1", "c2", "c3", reason="a mistake")
    world.turn()
    world.clock.advance(600)
    (fourth,) = world.lease()
    assert fourth.id == "c4"
    world.ask("cancel", "c4", "c1", reason="too late")
    world.turn((fourth, DONE))
    assert world.told()[:4] == [("parked", "c2"), ("cancelled", "c1"), ("cancelled", "c2"), ("cancelled", "c3")]
    assert world.told()[4:] == [("succeeded", "c4")]
    assert world.results()[3].payload()["reason"] == "a mistake"


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_redrive_whose_commit_failed_is_done_once(world: World, how: str) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, FINAL))
    world.ask("redrive", "c1")
    world.log.commit_fails = how
    with pytest.raises(LogUnavailable):
        world.turn()
    (work,) = world.lease()
    world.turn((work, FINAL))
    assert [turn.works for turn in (world.turn(limit=1), world.turn(limit=1))] == [[], []]
    assert world.told() == [("parked", "c1"), ("parked", "c1")]


def test_a_redrive_whose_commit_does_not_fit_is_done_after_all(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, FINAL))
    position = world.log.position(0, DELIVERY)
    assert world.log.commit(Commit(world.held, DELIVERY, position, position + 2)) is Code.COMMITTED
    world.ask("redrive", "c1")
    assert ids(world.lease()) == ["c1"]


def test_another_owner_does_not_do_again_what_was_asked_of_the_one_before(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.ask("redrive", "c1")
    world.turn()  # in flight: left as it is
    world.turn((work, FINAL))
    world.restart()
    assert world.lease() == []
    world.ask("redrive", "c1")
    world.turn()
    world.restart()
    (work,) = world.lease()
    world.turn((work, FINAL))
    world.restart()
    assert world.lease() == []


def test_what_people_let_expire_ends_as_if_its_time_were_over_and_its_reason_is_theirs(world: World) -> None:
    world.decide("c1", "c2")
    (first, _) = world.lease()
    world.turn((first, FINAL))
    world.ask("expire", "c1", "c2", reason="the fair is over")
    world.turn()
    assert (world.state("c1"), world.state("c2")) == (State.EXPIRED, State.IN_FLIGHT)
    assert world.entry("c1").last_error == "the fair is over"
    assert world.told() == [("parked", "c1"), ("expired", "c1")]
    assert world.results()[-1].payload()["reason"] == "the fair is over"
