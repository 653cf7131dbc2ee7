"""A snapshot is one moment of everything, beside writers that go on."""

from __future__ import annotations

import threading

import pytest

from streams.log import Append, Code, Commit, Lease, Log, LogError
from tests.conformance.backends import Backend, Writer, command, event, events, put


def everything(log: Log) -> list[object]:
    return [
        [
            log.tail(partition),
            log.read(partition, 0, 10_000).events,
            log.outputs(partition, 0, 10_000),
            log.position(partition, "rules"),
            log.scan(partition, "rules", "", "", 10_000),
            log.due(partition, "rules", (0, ""), 10_000),
        ]
        for partition in range(log.info.partitions)
    ]


def test_a_snapshot_does_not_change(backend: Backend, log: Log) -> None:
    writer = Writer(log)
    for number in range(30):
        writer.commit(put(f"k{number % 20}", b"%d" % number, number), outputs=[command(number)], events=[event(number)])
    log.put_document("old", b"")
    before = everything(log)
    status = log.status()
    feed = log.feed(0, "rules", 29, 10)

    with log.snapshot() as frozen:
        assert frozen.status() == status, "servers freeze a partition when it is looked at"
        for number in range(100):
            writer.commit(put(f"k{number % 30}", b"new"), outputs=[command(number)], events=[event(number)])
            log.forget(0, "rules", writer.position)
        log.append([Append(1, events(1, 3))])
        log.put_document("new", b"")

        assert everything(frozen) == before
        assert frozen.status() == status
        assert frozen.document("old") == b""
        assert backend.remote or frozen.document("new") is None
        assert frozen.fetch(0, [7]) == log.fetch(0, [7])
        assert frozen.durable(1) == 0
        assert frozen.follow({0: 29, 1: 0}, 0.01) == {0}
        assert list(frozen.check()) == []
        assert frozen.feed(0, "rules", 30, 10) == []
        assert frozen.feed(0, "rules", 29, 10) == (None if backend.remote else feed)
        assert frozen.info == log.info
    assert everything(log) != before


def test_a_snapshot_in_another_process_is_one_moment_beside_a_writer(persistent, opened) -> None:
    log, reader = opened(), opened()
    writer = Writer(log)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set() and writer.position < 2_000:
            value = b"%d" % (writer.position + 1)
            assert writer.commit(*(put(f"k{n}", value) for n in range(12)), outputs=[command(1)]) is Code.COMMITTED

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(25):
            with reader.snapshot() as frozen:
                position = frozen.position(0, "rules")
                rows = frozen.scan(0, "rules", "k", "", 100)
                assert {value for _, value in rows} <= {b"%d" % position}
                assert frozen.status()[0].outputs == position
            direct = {value for _, value in reader.scan(0, "rules", "k", "", 100)}
            assert len(direct) <= 1, "a reader that owns nothing sees whole commits, too"
    finally:
        stop.set()
        thread.join()
    assert writer.position > 0


def test_a_snapshot_cannot_be_written(log: Log) -> None:
    lease = Lease(0, "a", 1)
    with log.snapshot() as frozen:
        for call in (
            lambda: frozen.append([Append(0, events(1, 1))]),
            lambda: frozen.acquire(0, "a", 1),
            lambda: frozen.renew(lease, 1),
            lambda: frozen.release(lease),
            lambda: frozen.commit(Commit(lease, "rules", 0, 1)),
            lambda: frozen.forget(0, "rules", 1),
            lambda: frozen.put_document("d", b""),
        ):
            with pytest.raises(LogError, match="can only be read"):
                call()
    assert log.tail(0) == 0
