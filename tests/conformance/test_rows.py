"""Rows, scans, due times and feeds, whether a row lies in memory, on its way, or on disk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.backends.limits import LogLimits
from streams.log import Feed, Log
from streams.state import NEVER
from tests.conformance.backends import SMALL, Backend, Writer, as_of_now, gone, put


@pytest.fixture
def writer(log: Log) -> Writer:
    return Writer(log)


def test_rows_are_read_by_name(log: Log, writer: Writer) -> None:
    for number in range(30):
        writer.commit(put(f"k{number}", b"%d" % number))

    assert log.rows(0, "rules", [f"k{number}" for number in range(40)]) == {f"k{n}": b"%d" % n for n in range(30)}
    assert log.rows(0, "rules", []) == {}
    assert log.rows(0, "rules", ["k3", "k3", "nothing"]) == {"k3": b"3"}
    assert log.rows(0, "unheard of", ["k3"]) == {}


def test_many_rows_are_read_at_once(log: Log, writer: Writer) -> None:
    names = [f"k{number:05}" for number in range(3_000)]
    writer.commit(*(put(name, name.encode()) for name in names))
    for _ in range(5):
        writer.commit(put("other", b"x"))

    assert log.rows(0, "rules", [*names, "missing"]) == {name: name.encode() for name in names}


def test_the_newest_value_counts_and_deleted_rows_are_gone(log: Log, writer: Writer) -> None:
    for number in range(60):
        writer.commit(put(f"k{number % 12}", b"%d" % number, number), gone(f"k{(number + 5) % 12}"))

    left = {f"k{n % 12}": (n, b"%d" % n) for n in range(53, 60)}
    assert dict(log.scan(0, "rules", "", "", 100)) == {name: value for name, (_, value) in left.items()}
    assert log.rows(0, "rules", [f"k{n}" for n in range(12)]) == {name: value for name, (_, value) in left.items()}
    assert log.due(0, "rules", (0, ""), 100) == sorted((due, name) for name, (due, _) in left.items())


def test_scan_goes_by_prefix_and_page(log: Log, writer: Writer) -> None:
    for number in range(25):
        writer.commit(put(f"k{number:02}", b"%d" % number), put(f"b{number:02}", b""), put("p", b"%d" % number))

    assert log.scan(0, "rules", "p", "", 10) == [("p", b"24")]
    assert log.scan(0, "rules", "d", "", 10) == []
    after, seen = "", []
    while page := log.scan(0, "rules", "k", after, 7):
        assert len(page) <= 7
        seen += page
        after = page[-1][0]
    assert seen == [(f"k{n:02}", b"%d" % n) for n in range(25)]
    assert log.scan(0, "rules", "k", "k20", 2) == [("k21", b"21"), ("k22", b"22")]
    assert log.scan(0, "rules", "k2", "a", 2) == [("k20", b"20"), ("k21", b"21")]
    assert log.scan(0, "rules", "k", "z", 2) == []


def test_names_are_ordered_by_code_point_whatever_is_in_them(log: Log, writer: Writer) -> None:
    names = ["k", "k\x00", "k\x00a", "ka", "kZ", "kz", "ké", "k\uffff", "k\U0001f600", "k\U0010ffff", "k'", "k%_", "l"]
    for name in names:
        writer.commit(put(name, name.encode(), 5))
    for number in range(10):
        writer.commit(put("other", b"%d" % number))

    assert [name for name, _ in log.scan(0, "rules", "k", "", 100)] == sorted(names[:-1])
    assert log.due(0, "rules", (0, ""), 100) == [(5, name) for name in sorted(names)]
    assert log.rows(0, "rules", names) == {name: name.encode() for name in names}


def test_due_times_are_ordered_and_paged(log: Log, writer: Writer) -> None:
    for number in range(40):
        writer.commit(put(f"k{number}", b"", (number * 7) % 20), put(f"never{number}", b"", NEVER))

    expected = sorted(((number * 7) % 20, f"k{number}") for number in range(40))
    assert log.due(0, "rules", (-(2**62), ""), 100) == expected
    after, seen = (-(2**62), ""), []
    while page := log.due(0, "rules", after, 6):
        assert len(page) <= 6
        seen += page
        after = page[-1]
    assert seen == expected


def test_a_due_time_moves_with_its_row_and_ends_with_it(log: Log, writer: Writer) -> None:
    for round in range(4):
        for number in range(12):
            writer.commit(put(f"k{number}", b"", 1_000 * (4 - round) + number))
    for number in range(0, 12, 3):
        writer.commit(put(f"k{number}", b"still there"))
        writer.commit(gone(f"k{number + 1}"))
    for number in range(20):
        writer.commit(put(f"other{number}", b""))

    assert log.due(0, "rules", (0, ""), 100) == [(1_000 + number, f"k{number}") for number in range(2, 12, 3)]


def test_extreme_due_times_are_kept(log: Log, writer: Writer) -> None:
    writer.commit(put("early", b"", -(2**62)), put("late", b"", 2**62 - 1), put("never", b"", 2**62))
    for number in range(20):
        writer.commit(put(f"other{number}", b""))

    assert log.due(0, "rules", (-(2**63), ""), 10) == [(-(2**62), "early"), (2**62 - 1, "late")]


# -- feeds


def test_a_feed_holds_what_each_commit_changed(backend: Backend, log: Log, writer: Writer) -> None:
    writer.commit(put("k1", b"1", 5), put("k2", b"2"))
    writer.commit()
    writer.commit(gone("k1"))

    feed = log.feed(0, "rules", 0, 100)

    exact = [Feed(1, [put("k1", b"1", 5), put("k2", b"2")]), Feed(2, []), Feed(3, [gone("k1")])]
    assert feed == (as_of_now(exact) if backend.remote else exact)
    assert log.feed(0, "rules", 2, 100) == [(3, [gone("k1")])]
    assert log.feed(0, "rules", 3, 100) == []
    assert log.feed(1, "rules", 0, 100) == []
    assert log.feed(0, "unheard of", 0, 100) == []


def test_a_feed_is_read_in_parts_of_about_as_many_rows(log: Log, writer: Writer) -> None:
    for number in range(10):
        writer.commit(*(put(f"k{n}", b"%d" % number) for n in range(5)))

    feed = log.feed(0, "rules", 0, 12)

    assert feed is not None
    assert [one.end for one in feed] == [1, 2, 3]
    assert [one.end for one in log.feed(0, "rules", 3, 1) or []] == [4]


def test_what_the_reader_has_not_read_stays_in_the_feed_whatever_is_flushed(log: Log, writer: Writer) -> None:
    for number in range(300):
        writer.commit(put(f"k{number % 50}", b"%d" % number))
        log.forget(0, "rules", number // 2)

    feed = log.feed(0, "rules", 150, 1_000)

    assert [one.end for one in feed or []] == list(range(151, 301))


def test_forgetting_loses_no_row(log: Log, writer: Writer) -> None:
    for number in range(300):
        writer.commit(put(f"k{number % 50}", b"%d" % number))
        log.forget(0, "rules", number + 1)

    assert dict(log.scan(0, "rules", "", "", 1_000)) == {f"k{n % 50}": b"%d" % n for n in range(250, 300)}
    assert log.feed(0, "rules", 300, 10) == []


@pytest.mark.parametrize("forget", [True, False])
def test_a_feed_says_when_some_of_it_is_forgotten(opened, forget: bool) -> None:
    """Because its reader is done with it, or because it was too slow: the feed is bounded."""
    limits = SMALL if forget else replace(SMALL, feed_bytes=20_000)
    log = opened(limits)
    writer = Writer(log)
    for number in range(400):
        writer.commit(put(f"k{number % 50}", bytes(200)))
        if forget:
            log.forget(0, "rules", 300)

    assert log.feed(0, "rules", 0, 10) is None
    feed = log.feed(0, "rules", 399, 10)
    assert [one.end for one in feed or []] == [400]
    assert len(log.scan(0, "rules", "", "", 100)) == 50


def test_a_slow_reader_of_one_feed_costs_another_nothing(opened) -> None:
    log = opened(replace(SMALL, feed_bytes=800_000))
    slow = Writer(log, processor="slow")
    quick = Writer(log, processor="quick")
    slow.lease = quick.lease
    for number in range(1_000):
        slow.commit(put(f"k{number % 50}{'long' * 250}", bytes(1_000)))
        quick.commit(put(f"k{number % 50}", b"x"))

    assert log.feed(0, "slow", 0, 10) is None
    assert [one.end for one in log.feed(0, "quick", 0, 2_000) or []] == list(range(1, 1_001))


# -- documents


def test_documents_are_kept_by_digest(opened) -> None:
    log = opened(LogLimits(min_free_bytes=0))
    log.put_document("abc", b"\x00rules")
    log.put_document("abc", b"other bytes never replace what has this digest")

    assert log.document("abc") == b"\x00rules"
    assert log.document("def") is None
