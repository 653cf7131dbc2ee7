"""What is remembered of workers is bounded, in names and in leases, and forgotten in time."""

from __future__ import annotations

from unittest.mock import patch

from adapters.work import Outcome, Verdict, Work
from orchestrator.door import registry
from orchestrator.door.registry import Registry, Worker, together
from tests.conformance.backends import Clock

DONE = Outcome(Verdict.DONE)


def work(number: int, clock: Clock, seconds: float = 30.0) -> Work:
    return Work(f"c{number}", 1, "police", b"{}", clock() + int(seconds * 1e6), 0, leased_at=clock())


def names(found: Registry) -> list[str]:
    return [each.name for each in found.workers()]


def test_who_is_silent_is_forgotten_unless_it_holds_something() -> None:
    clock = Clock()
    found = Registry(clock, 60.0)
    found.asked("idle", "police")
    found.leased("busy", [work(1, clock, 200.0)])
    clock.advance(61)
    assert names(found) == ["busy"]
    assert found.by_target() == {"police": (0, 1)}
    clock.advance(140)  # its lease is over
    assert names(found) == []
    assert found.by_target() == {}


def test_beyond_the_bounds_the_oldest_is_forgotten() -> None:
    clock = Clock()
    with patch.object(registry, "MOST", 3), patch.object(registry, "MOST_HELD", 5):
        found = Registry(clock, 60.0)
        for number in range(10):
            found.asked(f"w{number % 5}", "police")
        assert names(found) == ["w2", "w3", "w4"]
        found.leased("w2", [work(number, clock) for number in range(8)])
        (held,) = [each for each in found.workers() if each.name == "w2"]
        assert (held.leased, held.in_flight) == (8, 5)


def test_an_outcome_counts_for_who_had_the_lease_whoever_says_it() -> None:
    clock = Clock()
    found = Registry(clock, 60.0)
    first, second = work(1, clock), work(2, clock)
    found.leased("w1", [first, second])
    found.settled("another", first, DONE, 0)
    found.settled("", second, Outcome(Verdict.HELD, retry_after=90.0), clock() + 90_000_000)
    clock.advance(40)
    found.settled("stranger", work(3, clock), Outcome(Verdict.FINAL), 0)
    assert found.workers() == [
        Worker("w1", [], clock() - 40_000_000, 1, 2, 1, 0),
        Worker("stranger", [], clock(), 0, 0, 0, 1),
    ]


def test_what_several_processes_know_is_added_up() -> None:
    one = [Worker("b", ["x"], 5, 1, 2, 1, 0), Worker("a", ["x"], 1, 0, 1, 1, 0)]
    other = [Worker("b", ["x", "y"], 3, 2, 3, 0, 1)]
    assert together([one, other]) == [Worker("a", ["x"], 1, 0, 1, 1, 0), Worker("b", ["x", "y"], 5, 3, 5, 1, 1)]
