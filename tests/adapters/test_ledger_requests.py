"""What people ask for a command: redrive and cancel, all or none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.errors import DeliveryError, UnknownCommandError, WrongStateError
from adapters.ledger import CURSOR, DELIVERY, State
from streams.log import Code, Commit
from tests.adapters.world import DONE, FINAL, POLICY, RETRY, World, ids

Make = Callable[..., World]


def test_parked_commands_are_redriven_with_a_round_of_their_own(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, FINAL))
    world.delivery.redrive(["c1", "c1"], world.clock())
    assert world.state("c1") is State.PENDING
    for attempt in range(2, POLICY.attempts + 2):
        (work,) = world.lease()
        assert work.attempt == attempt
        world.turn((work, RETRY))
        world.clock.advance(60)
    world.delivery.redrive(["c1"], world.clock())
    (work,) = world.lease()
    world.turn((work, DONE))
    assert world.told() == [("parked", "c1"), ("parked", "c1"), ("succeeded", "c1")]
    assert len({event.id for event in world.results()}) == 3
    assert [event.payload()["attempts"] for event in world.results()] == [1, 5, 6]


def test_redrive_takes_all_or_none(world: World) -> None:
    world.decide("c1", "c2", "c3")
    first, _, third = world.lease()
    world.turn((first, FINAL), (third, FINAL))
    commits = world.log.commits
    with pytest.raises(WrongStateError, match="command c2 is in_flight: only parked commands are redriven"):
        world.delivery.redrive(["c1", "c2"], world.clock())
    with pytest.raises(UnknownCommandError, match="no command nope"):
        world.delivery.redrive(["c1", "nope"], world.clock())
    with pytest.raises(UnknownCommandError):
        world.delivery.redrive([CURSOR], world.clock())
    assert (world.state("c1"), world.log.commits) == (State.PARKED, commits)
    world.delivery.redrive(["c1", "c3"], world.clock())
    assert world.log.commits == commits + 1
    assert world.turn(limit=9).counts["redriven|police"] == 2


def test_what_waits_or_is_parked_can_be_cancelled_all_or_none(world: World) -> None:
    world.decide("c1", "c2", "c3", "c4")
    first, second = world.lease(limit=2)
    world.turn((first, RETRY), (second, FINAL))
    world.delivery.cancel(["c1", "c2", "c3"], "a mistake", world.clock())
    world.clock.advance(600)
    (fourth,) = world.lease()
    assert fourth.id == "c4"
    with pytest.raises(WrongStateError, match="only what waits or is parked can be cancelled"):
        world.delivery.cancel(["c4"], "too late", world.clock())
    assert world.told() == [("parked", "c2"), ("cancelled", "c1"), ("cancelled", "c2"), ("cancelled", "c3")]
    assert world.results()[-1].payload()["reason"] == "a mistake"


def test_a_redrive_whose_commit_does_not_fit_says_so_and_can_be_repeated(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, FINAL))
    position = world.log.position(0, DELIVERY)
    assert world.log.commit(Commit(world.held, DELIVERY, position, position + 2)) is Code.COMMITTED
    with pytest.raises(DeliveryError, match="repeat"):
        world.delivery.redrive(["c1"], world.clock())
    world.delivery.redrive(["c1"], world.clock())
    assert ids(world.lease()) == ["c1"]
