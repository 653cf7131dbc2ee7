"""Copies of rows beside commits that go on: scans and snapshots of more than one page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from streams.backends.redis.open import open_redis
from streams.backends.redis.url import parse
from streams.log import Code, Log, LogUnavailable
from tests.conformance.backends import SMALL, Clock, Writer, command, put, redis_url

ROWS = 6_000


def opened(url: str, **limits: int) -> Log:
    return open_redis(parse(url), partitions=2, limits=replace(SMALL, **limits), clock=Clock())


@contextmanager
def writing(writer: Writer, rows: int) -> Iterator[None]:
    """Meanwhile each commit writes so many rows: the number of the commit, also as their due time."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            while not stop.is_set():
                number = writer.position + 1
                changes = [put(f"k{n}", b"%d" % number, number) for n in range(rows)]
                changes += [put(f"b{number}", b""), put("p", b"%d" % number)]
                assert writer.commit(*changes, outputs=[command(number)]) is Code.COMMITTED
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failures == []


@pytest.mark.parametrize("rows", [50, ROWS])
def test_a_copy_is_of_one_moment_however_much_is_written_meanwhile(tmp_path: Path, rows: int) -> None:
    log = opened(redis_url("single", tmp_path))
    writer = Writer(log)
    assert writer.commit(*(put(f"k{n}", b"1", 1) for n in range(ROWS))) is Code.COMMITTED
    with writing(writer, rows):
        for _ in range(8):
            with log.snapshot() as frozen:
                position = frozen.position(0, "rules")
                found = dict(frozen.scan(0, "rules", "k", "", 1 << 30))
                assert len(found) == ROWS
                assert {found[f"k{n}"] for n in range(rows)} == {b"%d" % position}
                assert {found[f"k{n}"] for n in range(rows, ROWS)} <= {b"1"}
                dues = frozen.due(0, "rules", (-1, ""), 1 << 30)
                assert dues == sorted((int(value), name) for name, value in found.items())
                assert len(frozen.scan(0, "rules", "b", "", 1 << 30)) == frozen.status()[0].outputs == position - 1
                assert frozen.outputs(0, 0, 1 << 30)[1][-1:] == ([command(position)] if position > 1 else [])
            (p,) = dict(log.scan(0, "rules", "p", "", 10)).values() or (b"1",)
            assert int(p) >= position
    everything = log.scan(0, "rules", "", "", 1 << 30)
    assert len(everything) == ROWS + writer.position
    assert [name for name, _ in everything] == sorted(name for name, _ in everything)
    log.close()


def test_pages_of_a_scan_go_on_where_the_last_one_ended_and_see_what_was_committed_since(tmp_path: Path) -> None:
    log = opened(redis_url("single", tmp_path))
    writer = Writer(log)
    writer.commit(*(put(f"k{n:05}", b"old") for n in range(ROWS)))
    after, seen = "", []
    while page := log.scan(0, "rules", "k", after, 1_000):
        seen += page
        after = page[-1][0]
        if len(seen) == 2_000:
            writer.commit(put("k02500", b"new"), put("k00001", b"new"))
    assert [name for name, _ in seen] == [f"k{n:05}" for n in range(ROWS)]
    assert (dict(seen)["k02500"], dict(seen)["k00001"]) == (b"new", b"old")
    log.close()


def test_a_copy_that_commits_outrun_says_so(tmp_path: Path) -> None:
    log = opened(redis_url("single", tmp_path), feed_bytes=1)
    writer = Writer(log)
    writer.commit(*(put(f"k{n}", b"1") for n in range(ROWS)))
    writer.commit(put("k0", b"2"))
    assert len(log.scan(0, "rules", "k", "", 1 << 30)) == ROWS, "while nothing is committed a feed is not needed"

    def scan() -> None:
        for _ in range(50):
            log.scan(0, "rules", "k", "", 1 << 30)

    with writing(writer, 10), pytest.raises(LogUnavailable, match="partition 0 is too busy to be copied"):
        scan()
    log.close()
