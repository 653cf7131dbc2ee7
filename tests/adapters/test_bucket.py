"""A rate is never exceeded, and is used as far as there is something to send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.bucket import Bucket, Rate
from streams.state import NEVER

SECOND = 1_000_000


@given(
    st.integers(1, 500),
    st.sampled_from([0.1, 1.0, 60.0]),
    st.integers(1, 50),
    st.sampled_from([1.0, 0.5, 0.125]),
    st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 100)), max_size=100),
)
def test_no_window_lets_more_through_than_the_rate_and_a_burst(
    limit: int, per: float, burst: int, share: float, asked: list[tuple[int, int]]
) -> None:
    bucket, now = Bucket(Rate(limit, per, float(burst))), SECOND
    bucket.use(share, now)
    let: list[tuple[int, int]] = []
    for passed, wanted in asked:
        now += passed
        count = min(wanted, bucket.room(now))
        bucket.take(count)
        let.append((now, count))
    most = max(1.0, burst * share)
    for first, (begin, _) in enumerate(let):
        through = 0
        for end, count in let[first:]:
            through += count
            assert through <= most + (end - begin) / 1e6 * limit * share / per + 1e-6


@given(st.integers(1, 500), st.sampled_from([0.1, 1.0, 60.0]), st.sampled_from([1.0, 0.25]))
def test_whoever_comes_when_it_says_finds_room(limit: int, per: float, share: float) -> None:
    bucket, now = Bucket(Rate(limit, per, 1.0)), SECOND
    bucket.use(share, now)
    for _ in range(20):
        assert bucket.room(now) == 1
        bucket.take(1)
        later = bucket.next_at(now)
        assert later > now
        assert (later - now) / 1e6 <= per / limit / share + 2e-6
        now = later


def test_what_is_put_back_may_go_again() -> None:
    bucket = Bucket(Rate(10, 1.0, 5.0))
    assert bucket.room(SECOND) == 5
    bucket.take(5)
    bucket.put_back(2)
    assert bucket.room(SECOND) == 2


def test_without_a_share_nothing_goes_until_others_say_so() -> None:
    bucket = Bucket(Rate(10, 1.0, 1.0))
    bucket.take(1)
    bucket.use(0.0, SECOND)
    assert bucket.room(100 * SECOND) == 0
    assert bucket.next_at(100 * SECOND) == NEVER
    bucket.use(1.0, 101 * SECOND)
    assert bucket.next_at(101 * SECOND) <= 101 * SECOND + SECOND // 10 + 1


def test_a_clock_that_is_set_back_does_not_stop_it() -> None:
    bucket = Bucket(Rate(10, 1.0, 1.0))
    assert bucket.room(3_600 * SECOND) == 1
    bucket.take(1)
    assert bucket.next_at(SECOND) == SECOND + SECOND // 10 + 1
    assert bucket.room(SECOND) == 0
    assert bucket.room(SECOND + SECOND // 10 + 1) == 1
