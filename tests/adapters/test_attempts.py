"""The ledger keeps each attempt: when, how long, what came of it."""

from __future__ import annotations

from collections.abc import Callable

from adapters.ledger import MOST_ATTEMPTS, State
from adapters.retry import RetryPolicy
from adapters.settling import LEASE_EXPIRED
from adapters.work import Outcome, Verdict
from streams import rfc3339
from tests.adapters.world import POLICY, RETRY, RETURNED, World


def test_each_attempt_is_kept_with_its_time_its_length_and_its_answer(world: World) -> None:
    world.decide("c1")
    began = world.clock()
    (work,) = world.lease(ttl=5.0)
    world.clock.advance(0.25)
    world.turn((work, Outcome(Verdict.RETRY, "HTTP 503: busy", status="503", took=0.125)))
    world.clock.advance(1.0)
    second = world.clock()
    world.lease(ttl=5.0)
    world.clock.advance(5.0)
    world.turn()
    world.restart()
    world.clock.advance(60.0)
    (work,) = world.lease()
    world.turn((work, Outcome(Verdict.DONE, status="204")))
    first, lost, done = world.entry("c1").summary()["history"]
    assert first == {
        "number": 1,
        "at": rfc3339.format(began),
        "seconds": 0.125,
        "outcome": "retry",
        "status": "503",
        "reason": "HTTP 503: busy",
    }
    assert (lost["number"], lost["at"], lost["seconds"]) == (2, rfc3339.format(second), 5.0)
    assert (lost["outcome"], lost["status"]) == (LEASE_EXPIRED, None)
    assert (done["number"], done["outcome"], done["status"]) == (3, "done", "204")


def test_what_was_given_back_untried_is_no_attempt(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, RETURNED))
    (work,) = world.lease()
    world.turn((work, Outcome(Verdict.DEFERRED, retry_after=10.0)))
    assert world.lease() == []
    assert (world.entry("c1").attempts, world.entry("c1").history) == (0, [])
    world.clock.advance(10.0)
    (work,) = world.lease()
    assert work.attempt == 1


def test_of_many_attempts_the_first_and_the_newest_are_kept(make_world: Callable[..., World]) -> None:
    policy = RetryPolicy(initial=1.0, factor=1.0, max=1.0, attempts=10_000, elapsed=1e9)
    world = make_world(targets={"police": policy})
    world.decide("c1")
    total = MOST_ATTEMPTS + 10
    for number in range(1, total + 1):
        (work,) = world.lease()
        world.turn((work, Outcome(Verdict.RETRY, f"number {number}")))
        world.clock.advance(2.0)
    kept = [attempt.number for attempt in world.entry("c1").history]
    assert kept == [1, *range(total - MOST_ATTEMPTS + 2, total + 1)]


def test_a_target_that_takes_a_command_is_asked_for_its_result_until_it_has_one(world: World) -> None:
    """With what the attempt before left, also by another owner, and no attempt is counted for asking."""
    world.decide("c1")
    (work,) = world.lease()
    assert work.progress == b""
    world.turn((work, Outcome(Verdict.WAITING, retry_after=5.0, progress={"run": "r1"})))
    for _ in range(20):
        world.restart()
        assert world.lease() == []
        summary = world.entry("c1").summary()
        assert (summary["state"], summary["attempts"]) == ("waiting", 1)
        world.clock.advance(5.0)
        (work,) = world.lease()
        assert work.progress == b'{"run":"r1"}'
        world.turn((work, Outcome(Verdict.WAITING, retry_after=5.0)))
    world.clock.advance(5.0)
    (work,) = world.lease()
    world.turn((work, Outcome(Verdict.DONE, result={"answer": 42})))
    entry = world.entry("c1")
    assert (entry.result, entry.attempts, entry.progress) == ({"answer": 42}, 1, None)
    assert [attempt.verdict for attempt in entry.history] == ["waiting", "done"]


def test_who_cannot_be_asked_for_a_result_is_asked_again_however_long_it_has_been_waited_for(world: World) -> None:
    """The retry policy begins with the first of the looks in a row that fail: what runs for days outlives outages."""
    world.decide("c1")
    for _ in range(POLICY.attempts - 1):
        (work,) = world.lease()
        world.turn((work, RETRY))
        world.clock.advance(POLICY.max)
    waits = Outcome(Verdict.WAITING, retry_after=5.0, progress={"run": "r1"})
    (work,) = world.lease()  # the last attempt that it has
    world.turn((work, waits))
    world.clock.advance(2 * POLICY.elapsed)
    for _ in range(3):
        for _ in range(POLICY.attempts - 1):
            (work,) = world.lease()
            world.turn((work, RETRY))
            entry = world.entry("c1")
            assert (entry.state, entry.attempts, entry.progress) == (State.WAITING, POLICY.attempts, {"run": "r1"})
            assert entry.due - world.clock() <= POLICY.max * 1e6
            world.clock.advance(POLICY.max)
        (work,) = world.lease()
        world.turn((work, waits))
        world.clock.advance(POLICY.elapsed)
    for _ in range(POLICY.attempts):
        (work,) = world.lease()
        world.turn((work, RETRY))
        world.clock.advance(POLICY.max)
    entry = world.entry("c1")
    told = f"waiting for its result, gave up after {POLICY.attempts} attempts; the last: busy"
    assert (entry.state, entry.last_error) == (State.PARKED, told)
    world.ask("redrive", "c1")
    (work,) = world.lease()
    assert work.progress == b""
    world.turn((work, RETRY))
    assert world.entry("c1").state is State.RETRYING


def test_a_look_for_a_result_that_its_worker_did_not_survive_is_no_attempt_either(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, Outcome(Verdict.WAITING, progress={"run": "r1"})))
    for _ in range(POLICY.attempts - 1):
        (work,) = world.lease()
        world.clock.advance(3_000.0)
        world.turn()
        assert (world.entry("c1").state, world.entry("c1").attempts) == (State.WAITING, 1)
        world.clock.advance(POLICY.max)
        (work,) = world.lease()
        world.turn((work, Outcome(Verdict.WAITING)))
