"""Commits: whole or not at all, once, and only by the owner."""

from __future__ import annotations

import threading

import pytest

from streams.log import Append, Code, Commit, Log, LogError
from streams.outputs import Command, Decision, Derived, Forward
from tests.conformance.backends import Clock, Writer, command, event, events, ids, owned, put


def test_a_commit_moves_the_position_and_writes_everything(log: Log, clock: Clock) -> None:
    log.append([Append(0, events(1, 2))])
    lease = owned(log)

    code = log.commit(
        Commit(lease, "rules", 0, 2, [put("ka", b"1"), put("kb", b"2", 77)], [command(1), command(2)], [event(3)])
    )

    assert code is Code.COMMITTED
    assert log.position(0, "rules") == 2
    assert log.rows(0, "rules", ["ka", "kb", "kc"]) == {"ka": b"1", "kb": b"2"}
    assert log.due(0, "rules", (0, ""), 10) == [(77, "kb")]
    assert log.outputs(0, 0, 10) == (1, [command(1), command(2)])
    assert ids(log.read(0, 0, 10).events) == ["e1", "e2", "e3"]
    status = log.status()[0]
    assert (status.tail, status.outputs, status.positions) == (3, 2, {"rules": 2})
    assert status.committed_at == clock.now


def test_the_same_commit_again_is_done_and_writes_nothing(log: Log) -> None:
    lease = owned(log)
    commit = Commit(lease, "rules", 0, 5, [put("k", b"1")], [command(1)], [event(1)])
    log.commit(commit)

    assert log.commit(commit) is Code.DONE
    assert (log.tail(0), log.status()[0].outputs) == (1, 1)
    assert log.commit(Commit(lease, "rules", 5, 6, [put("k", b"2")])) is Code.COMMITTED


@pytest.mark.parametrize(("start", "end"), [(0, 4), (4, 6), (6, 7)])
def test_a_commit_from_another_position_is_a_mismatch_and_writes_nothing(log: Log, start: int, end: int) -> None:
    lease = owned(log)
    log.commit(Commit(lease, "rules", 0, 5, [put("k", b"1")]))

    assert log.commit(Commit(lease, "rules", start, end, [put("k", b"2")], [command(1)], [event(1)])) is Code.MISMATCH
    assert log.position(0, "rules") == 5
    assert log.rows(0, "rules", ["k"]) == {"k": b"1"}
    assert (log.tail(0), log.status()[0].outputs) == (0, 0)


def test_the_first_commit_starts_at_zero(log: Log) -> None:
    assert log.commit(Commit(owned(log), "rules", 3, 4)) is Code.MISMATCH


def test_a_stale_owner_writes_nothing_whatever_it_commits(log: Log, clock: Clock) -> None:
    stale = owned(log, owner="a")
    log.commit(Commit(stale, "rules", 0, 1, [put("k", b"1")]))
    clock.advance(11)
    owned(log, owner="b")

    for start, end in ((1, 2), (0, 1), (7, 8)):
        commit = Commit(stale, "rules", start, end, [put("k", b"2", 5)], [command(1)], [event(1)])
        assert log.commit(commit) is Code.FENCED
    assert log.position(0, "rules") == 1
    assert log.rows(0, "rules", ["k"]) == {"k": b"1"}
    assert log.due(0, "rules", (0, ""), 10) == []
    assert (log.tail(0), log.outputs(0, 0, 10)) == (0, (0, []))


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (-1, 1)])
def test_a_commit_that_does_not_go_forwards_is_refused(log: Log, start: int, end: int) -> None:
    with pytest.raises(ValueError, match="moves a position forwards"):
        log.commit(Commit(owned(log), "rules", start, end))


def test_processors_of_a_partition_have_positions_and_rows_of_their_own(log: Log) -> None:
    rules = Writer(log, processor="rules")
    delivery = Writer(log, processor="delivery", owner="owner")
    rules.commit(put("k", b"rules", 5))
    delivery.commit(put("k", b"delivery", 6), outputs=[command(1)])
    delivery.commit(put("k", b"delivery 2", 7))

    assert (log.position(0, "rules"), log.position(0, "delivery"), log.position(1, "rules")) == (1, 2, 0)
    assert log.rows(0, "rules", ["k"]) == {"k": b"rules"}
    assert log.rows(0, "delivery", ["k"]) == {"k": b"delivery 2"}
    assert log.due(0, "rules", (0, ""), 10) == [(5, "k")]
    assert log.due(0, "delivery", (0, ""), 10) == [(7, "k")]
    assert [feed.end for feed in log.feed(0, "delivery", 0, 10) or []] == [1, 2]
    assert log.status()[0].positions == {"rules": 1, "delivery": 2}


def test_partitions_have_rows_of_their_own(log: Log) -> None:
    Writer(log, 0).commit(put("k", b"0"))
    Writer(log, 2).commit(put("k", b"2"))

    assert [log.rows(partition, "rules", ["k"]) for partition in range(3)] == [{"k": b"0"}, {}, {"k": b"2"}]


def test_of_a_name_that_comes_twice_in_a_commit_the_last_counts(log: Log) -> None:
    Writer(log).commit(put("k", b"1", 5), put("k", b"2", 9), put("l", b"1", 7), put("l", b"2"))

    assert log.rows(0, "rules", ["k", "l"]) == {"k": b"2", "l": b"2"}
    assert log.due(0, "rules", (0, ""), 10) == [(9, "k")]


def test_outputs_are_numbered_without_gaps_and_read_from_any_number(log: Log) -> None:
    writer = Writer(log)
    for first in (1, 4, 5):
        count = {1: 3, 4: 1, 5: 4}[first]
        writer.commit(outputs=[command(number) for number in range(first, first + count)])
        writer.commit()

    for after in range(8):
        first, found = log.outputs(0, after, 100)
        assert first == after + 1
        assert found == [command(number) for number in range(after + 1, 9)]
    assert log.outputs(0, 8, 100) == (0, [])
    assert log.outputs(1, 0, 100) == (0, [])
    first, found = log.outputs(0, 1, 1)
    assert first == 2
    assert 1 <= len(found) <= 2


def test_every_kind_of_output_comes_back_as_it_was(log: Log) -> None:
    sent = [
        Command(
            "id", "penalty", "police", "rule", "schlüssel", -3, "e1", {"a": [1, 2.5, None], "b": {}}, "d", True, 2, 9
        ),
        Derived("rule", event(1), True, 4),
        Forward("route", "key", event(2), 5),
        Decision("parked", 6, "key", "/s", "e3", "because"),
    ]
    Writer(log).commit(outputs=sent)

    assert log.outputs(0, 0, 10) == (1, sent)


def test_commits_and_appends_of_many_threads_come_one_after_another(log: Log) -> None:
    failures: list[BaseException] = []

    def run(work) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    def commit(partition: int) -> None:
        writer = Writer(log, partition)
        for number in range(40):
            assert writer.commit(put(f"k{number % 13}", b"%d" % number), events=[event(number)]) is Code.COMMITTED

    def append(partition: int) -> None:
        for number in range(40):
            log.append([Append(partition, [event(number)])])

    threads = [
        threading.Thread(target=run, args=(lambda p=partition, w=work: w(p),))
        for partition in range(3)
        for work in (commit, append)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    for partition in range(3):
        assert log.tail(partition) == 80
        assert len(log.read(partition, 0, 1_000).events) == 80
        assert log.position(partition, "rules") == 40
        expected = {f"k{n % 13}": b"%d" % n for n in range(40)}
        assert dict(log.scan(partition, "rules", "k", "", 100)) == expected
    # The positions of this test count commits; to `check` they are offsets, and those exist.
    assert list(log.check()) == []


def test_a_commit_needs_the_log_that_acquired(local, opened) -> None:
    ours, theirs = opened(), opened()
    lease = owned(ours)

    with pytest.raises(LogError, match="acquire first"):
        theirs.commit(Commit(lease, "rules", 0, 1, [put("k", b"1")]))
    assert ours.position(0, "rules") == 0
