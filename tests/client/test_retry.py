"""Pauses between attempts: full jitter below a ceiling that doubles, the server's wish, and one limit for it all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_client import ONCE, Busy, Invalid, Retry, Unreachable
from orchestrator_client.errors import ClientError
from orchestrator_client.retry import Attempts


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lost() -> ClientError:
    return Unreachable("http://x", OSError("refused"))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.001, 2), st.floats(0.001, 20), st.floats(0, 100))
def test_pauses_stay_below_their_ceiling_and_all_of_them_within_the_limit(
    chances: list[float], first: float, most: float, within: float
) -> None:
    clock = Clock()
    drawn = iter(chances)
    attempts = Attempts(Retry(within, first, most), clock, lambda low, high: low + (high - low) * next(drawn))
    for number in range(1, len(chances) + 1):
        try:
            pause = attempts.pause(lost())
        except Unreachable:
            break
        assert 0 <= pause <= min(most, first * 2**number) + 1e-9
        clock.now += pause
    assert clock.now <= within


def test_the_servers_wish_is_a_lower_bound() -> None:
    attempts = Attempts(Retry(within=60, first=0.5), Clock(), lambda low, high: high)
    assert attempts.pause(Busy(429, {}, 7.0)) == 7.5
    with pytest.raises(Busy):
        attempts.pause(Busy(429, {}, 61.0))


def test_what_will_never_succeed_is_not_tried_again() -> None:
    with pytest.raises(Invalid):
        Attempts(Retry(), Clock()).pause(Invalid(400, {"detail": "no"}))


def test_once_is_once() -> None:
    with pytest.raises(Unreachable):
        Attempts(ONCE, Clock(), lambda low, high: high).pause(lost())


def test_who_gives_up_says_after_how_many_attempts() -> None:
    clock = Clock()
    attempts = Attempts(Retry(within=10), clock, lambda low, high: high)
    attempts.pause(lost())
    clock.now = 10.0
    with pytest.raises(Unreachable) as raised:
        attempts.pause(lost())
    assert raised.value.__notes__ == ["given up after 2 attempts in 10.0 s"]


def test_an_attempt_gets_no_more_time_than_is_left() -> None:
    clock = Clock()
    attempts = Attempts(Retry(within=10), clock)
    assert attempts.timeout(30.0) == 10.0
    clock.now = 8.0
    assert attempts.timeout(30.0) == pytest.approx(2.0)
    assert attempts.timeout(1.0) == 1.0
