"""Shares of partitions: the same for everybody, even, and little moves when a member comes or goes."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.ownership import shares

members = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=12, unique=True)


@given(members, st.integers(1, 128))
def test_every_partition_is_somebodys_and_nobody_has_more_than_an_even_share(members: list[str], count: int) -> None:
    found = shares(sorted(members), count)

    assert sorted(found) == list(range(count))
    assert set(found.values()) <= set(members)
    assert max(Counter(found.values()).values()) <= -(-count // len(members))


@given(members, st.integers(1, 64), st.randoms())
def test_the_order_in_which_members_are_known_makes_no_difference(members: list[str], count: int, chance) -> None:
    shuffled = list(members)
    chance.shuffle(shuffled)

    assert shares(shuffled, count) == shares(members, count)


def test_when_a_member_goes_others_keep_most_of_what_they_have() -> None:
    names = [f"host-{number}:7" for number in range(8)]
    before = shares(names, 64)
    for gone in names:
        after = shares([name for name in names if name != gone], 64)
        stayed = sum(before[partition] == after[partition] for partition in before if before[partition] != gone)
        assert stayed >= 56 * 0.6


def test_without_members_nothing_is_anybodys() -> None:
    assert shares([], 8) == {}
