"""Rows in memory stay bounded while commits go on: a flush in SQLite is faster than the commits that pay for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.backends.limits import LogLimits
from streams.log import Code
from streams.state import NEVER, Change
from tests.conformance.backends import BACKENDS, Clock, Writer

SQLITE = next(backend for backend in BACKENDS if backend.name == "sqlite-normal")
OVERLAY = 1_000
FLUSH = 10
"""Little: what a flush does, it does because of the commits."""


def changes(names: int, due: int | None) -> Iterator[Change]:
    """Without end: that many names in turn, each time due at another time, or never."""
    number = 0
    while True:
        at = NEVER if due is None else due + number * 7_919 % 10_007
        yield Change(f"k{number % names * 7_919 % names:07}", b"%d" % number, at)
        number += 1


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("sizes", [(40,), (400,), (3, 400, 1, 90, 10)], ids=str)
@pytest.mark.parametrize(
    ("names", "due"),
    [
        pytest.param(1_000_003, None, id="new rows"),
        pytest.param(1_000_003, 0, id="new rows that are due"),
        pytest.param(10_007, 0, id="rows whose due time moves"),
    ],
)
def test_rows_in_memory_are_no_more_after_many_commits(
    tmp_path: Path, clock: Clock, names: int, due: int | None, sizes: tuple[int, ...], partitions: int
) -> None:
    limits = LogLimits(overlay_rows=OVERLAY, flush_rows=FLUSH, min_free_bytes=0)
    log = SQLITE.open(tmp_path, clock, partitions=partitions, limits=limits)
    db = sqlite3.connect(tmp_path / "log.db")
    writers = [Writer(log, partition) for partition in range(partitions)]
    rows = [changes(names, due) for _ in writers]
    committed: list[list[int]] = [[] for _ in writers]
    most = 0
    for number in range(40_000 * len(sizes) // sum(sizes)):
        place, size = number % partitions, sizes[number % len(sizes)]
        assert writers[place].commit(*(next(rows[place]) for _ in range(size))) is Code.COMMITTED
        committed[place].append(size)
        # what is not in the tables as a whole is in memory
        flushed = dict(db.execute("SELECT partition, flushed FROM slots"))
        most = max(most, sum(sum(each[flushed.get(place, 0) :]) for place, each in enumerate(committed)))
    assert most >= OVERLAY - max(sizes), "rows are gathered first"
    assert most <= 2 * (OVERLAY + max(sizes))
    db.close()
    log.close()
