"""Turns that fail, owners that change, and more commands than memory holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.errors import FencedError
from adapters.ledger import CURSOR, DELIVERY, State
from adapters.turn import Bounds
from adapters.work import Outcome, Verdict
from streams import outputs
from streams.log import Code, Commit, LogError, LogUnavailable
from streams.state import Change
from tests.adapters.world import DONE, POLICY, RETRY, World, ids
from tests.conformance.backends import Clock

Make = Callable[..., World]


def test_what_kills_its_process_every_time_is_parked_in_the_end(world: World) -> None:
    world.decide("c1", "c2")
    for attempt in range(1, POLICY.attempts + 1):
        works = world.lease()
        assert {(work.id, work.attempt) for work in works} == {("c1", attempt), ("c2", attempt)}
        world.restart()
    assert world.lease() == []
    assert world.state("c1") is State.PARKED
    assert "4 attempts that never answered" in world.entry("c1").last_error
    assert world.told() == [("parked", "c1"), ("parked", "c2")]


def test_a_commit_whose_answer_was_lost_is_repeated_and_done_once(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.log.commit_fails = "after"
    with pytest.raises(LogUnavailable):
        world.turn((work, DONE))
    assert [changed for _, changed in world.turn().answers] == [True]
    assert world.told() == [("succeeded", "c1")]


def test_nothing_is_handed_out_until_the_ledger_knows_it(world: World) -> None:
    world.decide("c1")
    world.turn()
    world.log.commit_fails = "before"
    with pytest.raises(LogUnavailable):
        world.turn(limit=5)
    assert world.state("c1") is State.PENDING
    assert ids(world.turn().works) == ["c1"]
    assert world.state("c1") is State.IN_FLIGHT


@pytest.mark.parametrize("method", ["rows", "due", "outputs", "position"])
def test_an_answer_given_to_a_turn_that_failed_is_kept(world: World, method: str) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.log.reading_fails = "outputs"
    with pytest.raises(LogUnavailable):
        world.turn((work, DONE))
    world.log.reading_fails = method  # memory is read anew now, and that fails too
    with pytest.raises(LogUnavailable):
        world.turn()
    assert [changed for _, changed in world.turn().answers] == [True]
    assert world.told() == [("succeeded", "c1")]


def test_a_commit_that_does_not_fit_is_computed_anew(world: World) -> None:
    world.decide("c1", "c2")
    first, second = world.lease()
    position = world.log.position(0, DELIVERY)
    assert world.log.commit(Commit(world.held, DELIVERY, position, position + 2)) is Code.COMMITTED
    turn = world.turn((first, DONE), (second, RETRY))
    assert (turn.answers, turn.more) == ([], True)
    assert [changed for _, changed in world.turn().answers] == [True, True]
    assert (world.state("c1"), world.state("c2")) == (State.DONE, State.RETRYING)


def test_a_position_that_moves_again_and_again_is_a_fault(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    real = world.log.position
    world.log.position = lambda partition, processor: real(partition, processor) + 5  # type: ignore[attr-defined]
    world.log.reading_fails = "outputs"
    with pytest.raises(LogUnavailable):
        world.turn((work, DONE))
    for _ in range(3):
        assert world.turn().more
    with pytest.raises(LogError, match="moves though it is ours alone"):
        world.turn()
    del world.log.position  # type: ignore[attr-defined]
    assert [changed for _, changed in world.turn().answers] == [True]


def test_who_is_fenced_notes_nothing_and_the_next_owner_begins_with_what_was_in_flight(world: World) -> None:
    world.decide("c1", "c2", "c3")
    work = world.lease(limit=1)[0]
    old = world.delivery
    world.restart()
    works = world.lease(limit=1)
    assert [(one.id, one.attempt) for one in works] == [("c1", 2)]
    world.delivery, new = old, world.delivery
    with pytest.raises(FencedError):
        world.turn((work, DONE))
    world.delivery = new
    assert world.state("c1") is State.IN_FLIGHT
    world.turn((works[0], DONE))
    assert world.told() == [("succeeded", "c1")]


def test_retries_survive_restarts_with_their_time_and_their_attempts(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, Outcome(Verdict.RETRY, "busy", retry_after=600.0)))
    due = world.entry("c1").due
    world.restart()
    assert world.lease() == []
    assert world.turn().next_at == due
    world.clock.now = due
    (work,) = world.lease()
    assert work.attempt == 2


def test_a_dead_target_does_not_hide_the_commands_of_others(world: World) -> None:
    """Memory holds 4 keys a target."""
    world.decide(*[f"p{number:03}" for number in range(100)])
    world.decide("b1", to="bank")
    assert ids(world.lease(to="bank")) == ["b1"]
    world.decide("b2", to="bank")
    assert ids(world.lease(to="bank")) == ["b2"]
    world.restart()
    world.decide("b3", to="bank")
    assert set(ids(world.lease(to="bank"))) == {"b1", "b2", "b3"}
    assert set(ids(world.lease())) == {f"p{number:03}" for number in range(100)}


def test_looking_for_work_on_disk_goes_on_over_turns(make_world: Make) -> None:
    world = make_world(bounds=Bounds(page=5_000, capacity=2, scan=1_000))
    world.decide(*[f"p{number:04}" for number in range(2_500)])
    world.decide("b1", to="bank")
    world.turn()
    world.restart()
    turns = 0
    while not (turn := world.turn(to="bank", limit=1)).works:
        assert turn.more
        turns += 1
    assert (ids(turn.works), turns) == (["b1"], 2)


def test_outputs_that_are_no_commands_are_passed_and_not_read_again(world: World) -> None:
    for number in range(20):
        decision = outputs.Decision("skipped", number, "A", "/s", f"e{number}", "")
        assert world.rules.commit(outputs=[decision]) is Code.COMMITTED
    while world.turn().more:
        pass
    assert 0 < world.log.commits <= 20 // world.bounds.unsaved
    assert CURSOR in world.log.rows(0, DELIVERY, [CURSOR])
    world.decide("c1")
    assert ids(world.lease()) == ["c1"]


def test_nothing_is_sent_whose_cause_could_still_be_lost(world: World, clock: Clock) -> None:
    world.decide("c1", "c2")
    command = outputs.Command("late", "do", "police", "rule", "A", 5, "e", {}, "digest", offset=7)
    assert world.rules.commit(outputs=[command]) is Code.COMMITTED
    world.log.durable = lambda partition: 6  # type: ignore[attr-defined]
    assert ids(world.lease(limit=2)) == ["c1", "c2"]
    turn = world.turn(limit=5)
    assert (turn.works, turn.ready, turn.next_at) == ([], frozenset(), clock() + 50_000)
    world.log.durable = lambda partition: 7  # type: ignore[attr-defined]
    assert ids(world.lease()) == ["late"]


def test_a_row_that_cannot_be_read_is_named(world: World) -> None:
    world.decide("c1")
    world.turn()
    position = world.log.position(0, DELIVERY)
    broken = Commit(world.held, DELIVERY, position, position + 1, [Change("c1", b"{", world.clock())])
    assert world.log.commit(broken) is Code.COMMITTED
    world.restart()
    with pytest.raises(LogError, match="row c1 of delivery's state cannot be read"):
        world.turn()
