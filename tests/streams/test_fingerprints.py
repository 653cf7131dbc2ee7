"""Duplicates are recognised among the newest events, within the memory that is promised, and after a restart."""

import random

from hypothesis import given
from hypothesis import strategies as st

from streams import fingerprints
from streams.fingerprints import CHUNK, MOST_SLOTS, WINDOW, Fingerprints

numbers = st.integers(1, 2**63 - 1)


@given(st.lists(st.integers(1, 50)), st.lists(st.integers(1, 50)))
def test_what_was_remembered_or_comes_twice_in_a_run_is_not_fresh(before, run):
    known = Fingerprints()
    known.remember(dict.fromkeys(before))
    fresh = [value for value, new in zip(run, known.fresh(run), strict=True) if new]
    assert fresh == [value for value in dict.fromkeys(run) if value not in before]


def test_control_events_have_no_fingerprint_and_are_always_fresh():
    assert list(Fingerprints().fresh([0, 0, 7, 0])) == [True, True, True, True]


@given(st.lists(st.lists(numbers, max_size=300, unique=True), max_size=12))
def test_rows_hold_what_was_remembered_whatever_the_batches(batches):
    rows: dict[str, bytes] = {}
    known = Fingerprints()
    values = list(dict.fromkeys(value for batch in batches for value in batch))
    at = 0
    for batch in batches:
        part, at = values[at : at + len(batch)], at + len(batch)
        rows.update((change.name, change.value) for change in known.remember(part))
    again = Fingerprints(known.remembered, rows.items())
    assert not any(again.fresh(values))
    assert again.remembered == len(values)
    whole = Fingerprints().remember(values)
    assert {change.name: change.value for change in whole} == rows


def test_a_window_of_the_newest_is_remembered_and_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(fingerprints, "MOST_SLOTS", 1 << 11)
    random.seed(1)
    values = random.sample(range(1, 2**62), 20_000)
    known = Fingerprints()
    for begin in range(0, len(values), 100):
        known.remember(values[begin : begin + 100])
    remembered = [not new for new in known.fresh(values)]
    newest = (1 << 11) // 2 * 2
    assert all(remembered[-newest:])
    assert not any(remembered[: -(1 << 11) // 2 * 3])


def test_the_tables_hold_the_window_at_sixteen_bytes_each():
    full_tables = MOST_SLOTS // 2 * (fingerprints.TABLES - 1)
    assert full_tables >= WINDOW
    assert 8 * MOST_SLOTS == 16 * (MOST_SLOTS // 2)
    assert CHUNK * fingerprints.CHUNKS >= WINDOW
