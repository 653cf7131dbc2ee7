"""Duplicates are recognised among the newest events, within the memory that is promised, and after a restart."""

import random
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import fingerprints
from streams.fingerprints import CHUNK, Fingerprints

numbers = st.integers(1, 2**63 - 1)


def fresh(known: Fingerprints, values: list[int]) -> list[int]:
    duplicates = known.duplicates(values)
    return [value for place, value in enumerate(values) if place not in duplicates]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generations of two chunks, three of them whole; so few buckets that some hold many."""
    monkeypatch.setattr(fingerprints, "GENERATION", 2 * CHUNK)
    monkeypatch.setattr(fingerprints, "WHOLE", 3)
    monkeypatch.setattr(fingerprints, "CHUNKS", 4 * 2 + 1)
    monkeypatch.setattr(fingerprints, "_BUCKET", 15)
    monkeypatch.setattr(fingerprints, "_PLACE", 255)
    monkeypatch.setattr(fingerprints, "TAGS", 5)


@given(st.lists(st.integers(1, 50)), st.lists(st.integers(1, 50)))
def test_what_was_remembered_or_comes_twice_in_a_run_is_a_duplicate(before: list[int], run: list[int]) -> None:
    known = Fingerprints()
    known.remember(list(dict.fromkeys(before)))
    assert fresh(known, run) == [value for value in dict.fromkeys(run) if value not in before]


@given(st.lists(st.lists(numbers, max_size=300, unique=True), max_size=12))
def test_rows_hold_what_was_remembered_whatever_the_batches(batches: list[list[int]]) -> None:
    rows: dict[str, bytes] = {}
    known = Fingerprints()
    values = list(dict.fromkeys(value for batch in batches for value in batch))
    at = 0
    for batch in batches:
        part, at = values[at : at + len(batch)], at + len(batch)
        rows.update((change.name, change.value or b"") for change in known.remember(part))
    again = Fingerprints(known.remembered, rows.items())
    assert again.remembered == len(values)
    assert fresh(again, values) == []
    assert {change.name: change.value for change in Fingerprints().remember(values)} == rows


@pytest.mark.usefixtures("small")
def test_which_events_are_duplicates_depends_on_no_split_into_runs_and_on_no_restart() -> None:
    """Against the definition: what was new in one of the last generations is not new again."""
    chance = random.Random(4)
    published = [chance.randrange(1, 9_000) << 7 | 5 for _ in range(20_000)]
    expected: list[int] = []
    new_in: dict[int, int] = {}
    for value in published:
        generation = len(expected) // fingerprints.GENERATION
        if new_in.get(value, -99) < generation - fingerprints.WHOLE:
            new_in[value] = generation
            expected.append(value)
    assert 9_000 < len(expected) < 16_000, "some come again when they are forgotten, some before"
    for restarts in (0.0, 0.3):
        known, rows = Fingerprints(), dict[str, bytes]()
        found: list[int] = []
        cuts = sorted({0, len(published), *(chance.randrange(len(published)) for _ in range(60))})
        for begin, end in pairwise(cuts):
            new = fresh(known, published[begin:end])
            rows.update((change.name, change.value or b"") for change in known.remember(new))
            found += new
            if chance.random() < restarts:
                known = Fingerprints(known.remembered, rows.items())
        assert found == expected
        assert len(rows) == fingerprints.CHUNKS


def test_half_a_million_are_remembered_at_sixteen_bytes_each() -> None:
    chance = random.Random(5)
    known = Fingerprints()
    values = [chance.getrandbits(63) | 1 for _ in range(620_000)]
    for begin in range(0, len(values), 10_000):
        known.remember(values[begin : begin + 10_000])
    newest = values[-500_000::9]
    assert fresh(known, newest) == []
    assert fresh(known, values[:30_000]) == values[:30_000]
    held = sum(map(sys.getsizeof, known._buckets)) + sys.getsizeof(known._buckets)
    held += sum(map(sys.getsizeof, known._grown)) + sys.getsizeof(known._lengths) + sys.getsizeof(known._filter)
    assert held <= 16 * (len(values) - known._first)
