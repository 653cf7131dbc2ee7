"""Several calls at once: each answers what it would answer alone, and what goes wrong with one concerns no other."""

from __future__ import annotations

from typing import Any

from streams.log import Append, Code, Commit, Log, LogError, Read, Rows
from tests.conformance.backends import Clock, Writer, command, event, events, ids, owned, put


def together(log: Log, requests: list[Any]) -> list[Any]:
    return list(log.together(requests))


def test_each_answers_what_it_would_answer_alone(log: Log) -> None:
    log.append([Append(0, events(1, 5)), Append(2, events(6, 7))])
    writers = [Writer(log, partition) for partition in range(3)]
    writers[1].commit(put("ka", b"1"), put("bx", b"2"))

    first, none, rows, second, done = together(
        log,
        [
            Read(0, 3, 100),
            Read(1, 0, 100),
            Rows(1, "rules", ["ka", "kb", "bx"]),
            Read(2, 0, 100),
            writers[2].next(put("k", b"3", 9), outputs=[command(1)], events=[event(8)]),
        ],
    )

    assert (list(first.offsets), ids(first.events)) == ([4, 5], ["e4", "e5"])
    assert (list(none.offsets), none.events) == ([], [])
    assert rows == {"ka": b"1", "bx": b"2"}
    assert ids(second.events)[:2] == ["e6", "e7"]
    assert done is Code.COMMITTED
    assert log.due(2, "rules", (0, ""), 10) == [(9, "k")]
    assert (log.position(2, "rules"), log.outputs(2, 0, 10)) == (1, (1, [command(1)]))
    assert log.together([]) == []


def test_rows_of_no_names_are_none(log: Log) -> None:
    assert log.together([Rows(0, "rules", []), Rows(1, "rules", ["k"])]) == [{}, {}]


def test_long_reads_are_as_long_as_they_would_be_alone(log: Log) -> None:
    for number in range(0, 3000, 3):
        log.append([Append(partition, events(number + 1, number + 3)) for partition in range(2)])
    log.append([Append(2, events(1, 5000))])

    long, short, entries = together(log, [Read(0, 1, 2000), Read(1, 2990, 2000), Read(2, 7, 1)])

    assert list(long.offsets) == list(range(2, 2 + len(long.events)))
    assert 2000 <= len(long.events) < 2500
    assert ids(long.events[:2]) == ["e2", "e3"]
    assert ids(short.events) == [f"e{number}" for number in range(2991, 3001)]
    assert list(entries.offsets) == list(range(8, 8 + len(entries.events)))
    assert ids(entries.events[:1]) == ["e8"]
    assert 0 < len(entries.events) <= 1000


def test_commits_of_several_partitions_end_each_in_its_own_way(log: Log, clock: Clock) -> None:
    stale = owned(log, 0, "a")
    clock.advance(11)
    owned(log, 0, "b")
    again, elsewhere, good = (Writer(log, 1), Writer(log, 2), Writer(log, 2, processor="delivery"))
    commit = again.next(put("k", b"1"))
    log.commit(commit)

    codes = log.together(
        [
            Commit(stale, "rules", 0, 1, [put("k", b"stale")], [command(1)], [event(1)]),
            commit,
            Commit(elsewhere.lease, "rules", 4, 5, [put("k", b"elsewhere")]),
            good.next(put("k", b"good")),
        ]
    )

    assert codes == [Code.FENCED, Code.DONE, Code.MISMATCH, Code.COMMITTED]
    assert [log.rows(partition, "rules", ["k"]) for partition in range(3)] == [{}, {"k": b"1"}, {}]
    assert log.rows(2, "delivery", ["k"]) == {"k": b"good"}
    assert (log.tail(0), log.outputs(0, 0, 10)) == (0, (0, []))


def test_a_commit_renews_its_lease_whatever_happens_to_others(log: Log, clock: Clock) -> None:
    writers = [Writer(log, partition) for partition in range(2)]
    clock.advance(8)
    log.together([Commit(writers[0].lease, "rules", 7, 8), writers[1].next()])
    clock.advance(8)

    assert log.acquire(0, "other", 10) is not None
    assert log.acquire(1, "other", 10) is None


def test_what_cannot_be_asked_is_refused_alone(log: Log) -> None:
    writer, other = Writer(log, 0), Writer(log, 1)
    backwards, nowhere, good = together(
        log,
        [
            Commit(writer.lease, "rules", 1, 1),
            Read(17, 0, 10),
            other.next(put("k", b"1")),
        ],
    )

    assert isinstance(backwards, ValueError)
    assert isinstance(nowhere, LogError)
    assert good is Code.COMMITTED
    assert log.rows(1, "rules", ["k"]) == {"k": b"1"}
