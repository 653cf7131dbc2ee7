"""When a failed delivery is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.retry import LONGEST_RETRY_AFTER, RetryPolicy

POLICY = RetryPolicy()


def test_the_longest_wait_doubles_up_to_an_hour() -> None:
    assert [POLICY.ceiling(attempt) for attempt in (1, 2, 3, 12, 13, 10_000)] == [1, 2, 4, 2_048, 3_600, 3_600]


@given(
    attempt=st.integers(1, 10_000),
    after=st.none() | st.floats(0, 1e18),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_wait_is_drawn_from_all_of_it_and_never_below_what_the_target_asked(
    attempt: int, after: float | None, chance: float
) -> None:
    asked = min(after or 0.0, LONGEST_RETRY_AFTER)
    assert POLICY.delay(attempt, after, lambda: chance) == max(chance * POLICY.ceiling(attempt), asked)


def test_it_ends_after_twelve_attempts_or_a_day() -> None:
    assert POLICY.exhausted(11, 86_000.0, 400.0) is None
    assert POLICY.exhausted(12, 60.0, 1.0) == "gave up after 12 attempts"
    assert RetryPolicy(attempts=1).exhausted(1, 0.0, 1.0) == "gave up after 1 attempt"
    found = POLICY.exhausted(3, 86_000.0, 401.0)
    assert found == "gave up after 86,000 s: the next attempt would come later than 86,400 s"
