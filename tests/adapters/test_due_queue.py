"""The queue of one target: never more in memory than allowed, and always the earliest."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.due_queue import EVERYTHING, START, DueQueue
from streams.state import NEVER

KEYS = st.tuples(st.integers(0, 30), st.sampled_from("abcd"))
ACTIONS = st.lists(st.tuples(st.sampled_from(["add", "remove", "take", "fill"]), KEYS, st.integers(0, 4)), max_size=60)


@given(capacity=st.integers(1, 5), actions=ACTIONS)
def test_memory_holds_exactly_the_earliest_up_to_its_horizon(
    capacity: int, actions: list[tuple[str, tuple[int, str], int]]
) -> None:
    """`stored` is what the disk has: all of it."""
    queue = DueQueue(capacity)
    queue.horizon = EVERYTHING
    stored: set[tuple[int, str]] = set()
    for action, key, count in actions:
        if action == "add" and key not in stored:
            stored.add(key)
            queue.add(key)
        elif action == "remove" and key in stored:
            stored.remove(key)
            queue.remove(key)
        elif action == "take":
            taken = queue.take(key[0], count)
            expected = sorted(one for one in stored if one[0] <= key[0] and one <= queue.horizon)[:count]
            assert taken == expected
            stored -= set(taken)
        elif action == "fill" and not queue.full and (beyond := sorted(one for one in stored if one > queue.horizon)):
            queue.fill(beyond[0])
        held = sorted(one for one in stored if one <= queue.horizon)
        assert len(queue) == len(held) <= capacity
        assert queue.next_due == (held[0][0] if held else NEVER)
        assert queue.ready(15) == bool(held and held[0][0] <= 15)


def test_a_hundred_thousand_commands_of_a_dead_target_take_the_room_of_a_hundred() -> None:
    queue = DueQueue(100)
    queue.horizon = EVERYTHING
    for number in range(100_000, 0, -1):
        queue.add((number, "c"))
    assert (len(queue), queue.horizon) == (100, (100, "c"))
    assert queue.take(NEVER, 1_000) == [(number, "c") for number in range(1, 101)]
    assert queue.wants_more(NEVER)


def test_a_new_queue_knows_nothing_and_asks_the_disk() -> None:
    queue = DueQueue(3)
    queue.add((5, "c"))
    assert (len(queue), queue.horizon, queue.wants_more(0)) == (0, START, True)
