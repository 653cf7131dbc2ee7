"""Append, read, fetch, tail and follow."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import msgspec
import pytest

from streams import event as event_module
from streams.log import Append, Appended, Log, LogError, LogFull
from tests.conformance.backends import SMALL, Backend, Writer, command, event, events, ids


def test_offsets_begin_at_one_and_have_no_gaps(log: Log) -> None:
    assert log.append([Append(0, events(1, 3))]) == [Appended(3, 3)]
    assert log.append([Append(0, events(4, 5)), Append(0, events(6, 6))]) == [Appended(5, 2), Appended(6, 1)]

    batch = log.read(0, 0, 100)

    assert list(batch.offsets) == [1, 2, 3, 4, 5, 6]
    assert ids(batch.events) == ["e1", "e2", "e3", "e4", "e5", "e6"]


def test_an_event_comes_back_as_it_was(log: Log) -> None:
    sent = event_module.Event(
        "a.b", -5, "schlüssel\x00\U0001f600", "subject", "/s", "id", 2**63 - 1,
        msgspec.Raw(b'{"a": [1.5, null, "\\u0000\xc3\xa9"], "b":\n 7}'), event_module.DERIVED, 3, {"x": 1, "y": "z"},
    )  # fmt: skip
    log.append([Append(1, [sent, event(2)])])

    received = log.read(1, 0, 10).events[0]

    assert received == sent
    assert bytes(received.data) == bytes(sent.data)


def test_partitions_know_nothing_of_each_other(log: Log) -> None:
    log.append([Append(0, events(1, 2)), Append(2, events(3, 3))])

    assert [log.tail(partition) for partition in range(3)] == [2, 0, 1]
    assert ids(log.read(0, 0, 10).events) == ["e1", "e2"]
    assert log.read(1, 0, 10).events == []
    assert ids(log.read(2, 0, 10).events) == ["e3"]


def test_reading_goes_on_after_the_offset_given_even_in_the_middle_of_an_entry(log: Log) -> None:
    log.append([Append(0, events(1, 5))])
    log.append([Append(0, events(6, 8))])

    for after in range(9):
        batch = log.read(0, after, 100)
        assert list(batch.offsets) == list(range(after + 1, 9))
        assert ids(batch.events) == [f"e{offset}" for offset in batch.offsets]


def test_reading_answers_about_as_many_as_asked_and_at_least_one(log: Log) -> None:
    for first in range(1, 50, 5):
        log.append([Append(0, events(first, first + 4))])

    assert 1 <= len(log.read(0, 3, 1).events) <= 5
    assert 12 <= len(log.read(0, 0, 12).events) <= 16
    assert log.read(0, 50, 10).events == []
    assert list(log.read(0, 50, 10).offsets) == []


def test_a_large_append_is_read_in_parts(log: Log) -> None:
    assert log.append([Append(0, events(1, 5_000))]) == [Appended(5_000, 5_000)]

    seen: list[str] = []
    while (batch := log.read(0, len(seen), 500)).events:
        assert batch.offsets[0] == len(seen) + 1
        assert len(batch.events) <= 2_000
        seen += ids(batch.events)

    assert seen == [f"e{number}" for number in range(1, 5_001)]


def test_a_read_is_as_long_as_asked_however_the_sizes_of_appends_change(log: Log) -> None:
    # Alone each, then 3,000 at once, alone again, 700 at once.
    sizes = [1] * 40 + [3_000] + [1] * 300 + [700] + [1] * 20
    tail = 0
    for size in sizes:
        log.append([Append(0, events(tail + 1, tail + size))])
        tail += size

    for limit in (1, 2, 30, 250, 5_000):
        at = 0
        while at < tail:
            batch = log.read(0, at, limit)
            # Whole entries, of 1,000 events at most.
            assert min(limit, tail - at) <= len(batch.events) < limit + 1_000
            assert list(batch.offsets) == list(range(at + 1, at + 1 + len(batch.events)))
            assert ids(batch.events) == [f"e{offset}" for offset in batch.offsets]
            at = batch.offsets[-1]
        assert log.read(0, at, limit).events == []


def test_fetch_answers_in_the_order_asked(log: Log) -> None:
    log.append([Append(0, events(1, 5))])
    log.append([Append(0, events(6, 9))])

    assert ids(log.fetch(0, [7, 1, 9, 2, 7])) == ["e7", "e1", "e9", "e2", "e7"]
    assert log.fetch(0, []) == []


@pytest.mark.parametrize("offset", [0, -1, 4])
def test_fetch_of_an_offset_that_is_not_there_is_an_error(log: Log, offset: int) -> None:
    log.append([Append(0, events(1, 3)), Append(1, events(1, 9))])

    with pytest.raises(LogError, match=f"no event at offset {offset}"):
        log.fetch(0, [1, offset])


@pytest.mark.parametrize("partition", [-1, 3])
def test_a_partition_that_does_not_exist_is_an_error(log: Log, partition: int) -> None:
    for call in (
        lambda: log.append([Append(0, events(1, 1)), Append(partition, events(1, 1))]),
        lambda: log.read(partition, 0, 1),
        lambda: log.tail(partition),
        lambda: log.acquire(partition, "me", 1),
        lambda: log.position(partition, "rules"),
        lambda: log.rows(partition, "rules", ["k"]),
    ):
        with pytest.raises(LogError, match=f"no partition {partition}"):
            call()
    assert log.tail(0) == 0


def test_durable_is_the_tail_once_asked(local: Backend, log: Log) -> None:
    assert log.durable(0) == 0
    log.append([Append(0, events(1, 3))])
    assert log.durable(0) == 3
    log.append([Append(0, events(4, 4))])
    assert log.durable(0) == 4


def test_durable_comes_up_to_the_tail(log: Log) -> None:
    log.append([Append(0, events(1, 3))])
    deadline = time.monotonic() + 30
    while (durable := log.durable(0)) < 3 and time.monotonic() < deadline:
        assert durable == 0
        time.sleep(0.05)
    assert log.durable(0) == 3


# -- sequences of producers


def test_events_that_a_producer_sent_before_are_not_stored_again(log: Log) -> None:
    assert log.append([Append(0, events(1, 3), "p", (10, 20, 30))]) == [Appended(3, 3)]

    assert log.append([Append(0, events(1, 3), "p", (10, 20, 30))]) == [Appended(0, 0, 3)]
    assert log.append([Append(0, events(2, 5), "p", (20, 30, 40, 50))]) == [Appended(5, 2, 2)]
    assert log.append([Append(0, events(1, 1), "p", (45,))]) == [Appended(0, 0, 1)]

    assert ids(log.read(0, 0, 10).events) == ["e1", "e2", "e3", "e4", "e5"]


def test_sequences_count_for_each_producer_and_partition_alone(log: Log) -> None:
    log.append([Append(0, events(1, 1), "p", (7,))])

    assert log.append([Append(0, events(2, 2), "q", (7,)), Append(1, events(3, 3), "p", (7,))]) == [
        Appended(2, 1),
        Appended(1, 1),
    ]


def test_overlapping_appends_of_one_request_are_recognised_too(log: Log) -> None:
    answers = log.append([Append(0, events(1, 2), "p", (1, 2)), Append(0, events(2, 3), "p", (2, 3))])

    assert answers == [Appended(2, 2), Appended(3, 1, 1)]
    assert ids(log.read(0, 0, 10).events) == ["e1", "e2", "e3"]


def test_a_sequence_may_begin_at_zero(log: Log) -> None:
    assert log.append([Append(0, events(1, 1), "p", (0,))]) == [Appended(1, 1)]
    assert log.append([Append(0, events(1, 1), "p", (0,))]) == [Appended(0, 0, 1)]


@pytest.mark.parametrize("sequences", [(1,), (2, 2), (2, 1), (-1, 4), ()])
def test_sequences_that_do_not_increase_are_refused_and_nothing_is_stored(log: Log, sequences: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="producer `p`"):
        log.append([Append(0, events(1, 3)), Append(0, events(4, 5), "p", sequences)])

    assert log.tail(0) == 0


def test_sequences_without_a_producer_are_refused(log: Log) -> None:
    with pytest.raises(ValueError, match="producer"):
        log.append([Append(0, events(1, 1), "", (1,))])


def test_an_append_without_events_stores_nothing(log: Log) -> None:
    assert log.append([Append(0, []), Append(0, [], "p", ())]) == [Appended(0, 0), Appended(0, 0)]
    assert log.tail(0) == 0


# -- pressure


def test_append_is_refused_while_the_rules_are_too_far_behind(backend: Backend, opened) -> None:
    log = opened(replace(SMALL, max_lag_events=10))
    log.append([Append(0, events(1, 8))])

    with pytest.raises(LogFull, match="would be 11 events ahead") as refused:
        log.append([Append(1, events(1, 1)), Append(0, events(9, 11))])
    assert refused.value.retry_after > 0
    assert (log.tail(0), log.tail(1)) == (8, int(backend.remote)), "of partitions on servers some may take their part"

    log.append([Append(0, events(9, 10))])
    writer = Writer(log)
    for number in range(3):
        assert writer.commit(events=[event(100 + number)]) == "committed"
    assert log.tail(0) == 13, "what a commit appends is never refused"
    with pytest.raises(LogFull):
        log.append([Append(0, events(14, 14))])


# -- readers beside writers


def test_no_reader_sees_a_gap_while_many_append(opened) -> None:
    log = opened()
    producers, each = 4, 40
    failures: list[str] = []
    done = threading.Event()

    def produce(number: int) -> None:
        for round in range(each):
            first = number * 1_000 + round * 2
            log.append([Append(0, [event(first), event(first + 1)], f"p{number}", (round * 2, round * 2 + 1))])

    def consume() -> None:
        after, seen = 0, set()
        while True:
            finished = done.is_set()
            batch = log.read(0, after, 7)
            for offset, one in zip(batch.offsets, batch.events, strict=True):
                if offset != after + 1 or one.id in seen:
                    failures.append(f"{one.id} at {offset} after {after}")
                after = offset
                seen.add(one.id)
            if finished and not batch.events:
                if after != producers * each * 2:
                    failures.append(f"{after} seen")
                return

    consumers = [threading.Thread(target=consume) for _ in range(2)]
    threads = [threading.Thread(target=produce, args=(number,)) for number in range(producers)]
    for thread in [*consumers, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    for thread in consumers:
        thread.join()

    assert failures == []


def test_follow_answers_at_once_what_is_there_already(log: Log) -> None:
    log.append([Append(0, events(1, 2)), Append(2, events(1, 1))])

    started = time.monotonic()
    assert log.follow({0: 1, 1: 0, 2: 1}, 30) == {0}
    assert time.monotonic() - started < 10


def test_follow_ends_when_the_time_is_over(log: Log) -> None:
    log.append([Append(0, events(1, 2))])

    started = time.monotonic()
    assert log.follow({0: 2, 1: 0}, 0.2) == set()
    assert 0.15 < time.monotonic() - started < 10


def test_follow_wakes_up_for_an_append_and_for_what_a_commit_appends(log: Log) -> None:
    writer = Writer(log)
    for number, append in enumerate(
        [lambda: log.append([Append(0, events(1, 1))]), lambda: writer.commit(events=[event(2)])]
    ):
        timer = threading.Timer(0.1, append)
        timer.start()
        assert log.follow({0: number, 1: 0}, 30) == {0}
        timer.join()


def test_follow_notices_what_another_process_appends(persistent, opened) -> None:
    ours, theirs = opened(), opened()
    timer = threading.Timer(0.1, lambda: theirs.append([Append(1, events(1, 1))]))
    timer.start()

    assert ours.follow({0: 0, 1: 0}, 30) == {1}
    timer.join()


def test_outputs_are_followed_as_events_are(log: Log) -> None:
    writer = Writer(log)
    assert log.follow_outputs({0: 0, 1: 0}, 0.0) == {}
    timer = threading.Timer(0.1, lambda: writer.commit(outputs=[command(1), command(2)]))
    timer.start()
    assert log.follow_outputs({0: 0, 1: 0}, 30) == {0: 2}
    timer.join()
    assert log.follow_outputs({0: 1, 1: 0}, 0.0) == {0: 2}
    assert log.follow_outputs({0: 2, 1: 0}, 0.01) == {}


def test_the_last_sequence_of_a_producer_is_told(log: Log) -> None:
    assert log.sequence(0, "p") == -1
    log.append([Append(0, events(1, 3), "p", [0, 4, 9]), Append(1, events(1, 1), "p", [2])])
    assert (log.sequence(0, "p"), log.sequence(1, "p"), log.sequence(0, "q")) == (9, 2, -1)
