"""A breaker opens when too many attempts fail, sends nothing while it is open, and always recovers with its target."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.breaker import Breaker, BreakerPolicy, Switch

SECOND = 1_000_000
POLICY = BreakerPolicy(failures=0.5, window=10.0, minimum=4, pause=5.0, longest=20.0, probes=2)
DOWN = "no connection"


def fail(breaker: Breaker, now: int) -> Switch | None:
    return breaker.record(True, DOWN, now)


def succeed(breaker: Breaker, now: int) -> Switch | None:
    return breaker.record(False, "", now)


def opened(now: int) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(4):
        fail(breaker, now)
    assert breaker.open(now)
    return breaker


def test_it_opens_when_the_share_of_failures_is_reached_and_not_before_the_least_number() -> None:
    breaker = Breaker(POLICY)
    assert [fail(breaker, SECOND) for _ in range(3)] == [None] * 3
    assert fail(breaker, SECOND) == Switch(True, SECOND, 6 * SECOND, 1, DOWN, SECOND)


def test_it_stays_closed_below_the_share() -> None:
    breaker = Breaker(POLICY)
    for second in range(1, 200):
        assert succeed(breaker, second * SECOND) is None
        assert succeed(breaker, second * SECOND) is None
        assert fail(breaker, second * SECOND) is None


def test_failures_that_lie_further_back_than_the_window_are_forgotten() -> None:
    breaker = Breaker(POLICY)
    for second in (1, 12, 23, 34, 45, 56, 67):
        assert fail(breaker, second * SECOND) is None


def test_after_the_pause_it_is_tried_and_closes_when_the_probes_succeed() -> None:
    breaker = opened(SECOND)
    assert breaker.half_open(6 * SECOND)
    assert breaker.probes == 2
    assert succeed(breaker, 6 * SECOND) is None
    assert breaker.probes == 1
    assert succeed(breaker, 7 * SECOND) == Switch(False, 7 * SECOND)
    assert not breaker.open(7 * SECOND)


def test_pauses_in_vain_double_up_to_the_longest_and_begin_anew_after_success() -> None:
    breaker, now, pauses = opened(SECOND), SECOND, [5]
    for _ in range(4):
        now = breaker.switch.until
        switch = fail(breaker, now)
        assert switch is not None
        pauses.append((switch.until - now) // SECOND)
    assert pauses == [5, 10, 20, 20, 20]
    now = breaker.switch.until
    succeed(breaker, now)
    succeed(breaker, now)
    for _ in range(4):
        fail(breaker, now + 1)
    assert breaker.switch.until == now + 1 + 5 * SECOND


def test_what_was_sent_before_it_opened_changes_nothing() -> None:
    breaker = opened(SECOND)
    assert succeed(breaker, 2 * SECOND) is None
    assert fail(breaker, 3 * SECOND) is None
    assert breaker.switch.until == 6 * SECOND


def test_the_newer_of_two_stored_switches_counts() -> None:
    breaker = Breaker(POLICY)
    breaker.restore(Switch(True, 5, 100, 1, DOWN))
    breaker.restore(Switch(False, 3))
    assert breaker.open(50)
    breaker.restore(Switch(False, 6))
    assert not breaker.open(50)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8 * SECOND)), max_size=200))
def test_it_opens_only_by_a_failure_and_recovers_whatever_happened(attempts: list[tuple[bool, int]]) -> None:
    breaker, now, before = Breaker(POLICY), SECOND, 0
    for failed, passed in attempts:
        now += passed
        was_open = breaker.open(now)
        switch = breaker.record(failed, DOWN, now)
        if switch is not None:
            assert switch.open == failed
            assert not was_open
            assert switch.at > before, "changes are in order of time"
            assert switch.until <= now + 20 * SECOND or not switch.open
            before = switch.at
    now = max(now, breaker.switch.until)
    for _ in range(POLICY.probes):
        breaker.record(False, "", now)
    assert not breaker.open(now)
    assert not breaker.half_open(now)
