"""Servers that end, come back, or are replaced, with all that they had answered for or with less."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from streams.backends.redis.open import open_redis
from streams.backends.redis.url import parse
from streams.event import CONTROL, FORKED
from streams.log import AGENT, Append, Code, Fork, Log
from tests.conformance.backends import SMALL, Writer, command, event, events, ids, owned, put
from tests.conformance.redis_servers import Servers


def opened(url: str) -> Log:
    return open_redis(parse(url), partitions=2, limits=SMALL)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path / "servers")
    yield servers
    servers.stop()


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path / "servers", "--sentinel", ports=5)
    yield servers
    servers.stop()


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


class Rewound:
    """A server whose data are put back to what they were when this was made."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self._servers = servers
        self._data = folder / "servers" / str(servers.port) / "appendonlydir"
        self._kept = folder / "kept"
        servers.kill(servers.port)
        shutil.copytree(self._data, self._kept)
        servers.start()

    def rewind(self) -> None:
        self._servers.kill(self._servers.port)
        shutil.rmtree(self._data)
        shutil.copytree(self._kept, self._data)
        self._servers.start()


def test_after_a_restart_leases_have_ended_and_everything_else_is_there(servers: Servers) -> None:
    log = opened(servers.url())
    log.append([Append(0, events(1, 3), "p", [1, 2, 3])])
    writer = Writer(log)
    assert writer.commit(put("k", b"1", 7), outputs=[command(1)]) is Code.COMMITTED

    servers.kill(servers.port)
    servers.start()

    assert writer.commit(put("k", b"2")) is Code.FENCED
    assert not log.renew(writer.lease, 10)
    again = Writer(log)
    assert again.position == 1
    assert again.lease.epoch > writer.lease.epoch + 1_000, "epochs that were granted and lost are passed over"
    assert again.commit(put("k", b"2")) is Code.COMMITTED
    assert writer.commit(put("k", b"3")) is Code.FENCED
    assert log.append([Append(0, events(3, 4), "p", [3, 4])])[0].known == 1
    assert ids(log.read(0, 0, 10).events) == ["e1", "e2", "e3", "e4"]
    assert (log.info.generation, log.forks) == (1, ())
    assert list(log.check()) == []
    log.close()


def test_a_call_waits_for_a_server_that_restarts(servers: Servers) -> None:
    log = opened(servers.url())
    servers.kill(servers.port)
    timer = threading.Timer(0.5, servers.start)
    timer.start()
    assert log.append([Append(0, events(1, 1), "p", [1])])[0].offset == 1
    timer.join()
    log.close()


def test_a_server_that_lost_what_it_answered_for_begins_a_generation(servers: Servers, tmp_path: Path) -> None:
    first = opened(servers.url())
    first.append([Append(0, events(1, 5), "p", range(1, 6)), Append(1, events(1, 2))])
    rewound = Rewound(servers, tmp_path)
    second = opened(servers.url())
    first.append([Append(0, events(6, 8), "p", range(6, 9))])
    second.append([Append(0, events(9, 9))])
    writer = Writer(second)
    assert writer.commit(put("k", b"1"), outputs=[command(1)]) is Code.COMMITTED

    rewound.rewind()

    # Whoever meets it first tells all; the producer sends again what it was told is stored.
    assert writer.commit(put("k", b"2")) is Code.FENCED
    assert first.append([Append(0, events(6, 8), "p", range(6, 9))])[0].stored == 3
    first.beat("a", AGENT, {}, 10)
    second.beat("b", AGENT, {}, 10)
    third = opened(servers.url())
    for log in (first, second, third):
        assert log.info.generation == 2
        assert [(fork.generation, fork.partition, fork.offset) for fork in log.forks] == [(2, 0, 5)]
    assert abs(first.forks[0].at - first.now()) < 60_000_000
    found = third.read(0, 0, 100).events
    forked = [event for event in found if event.type == FORKED]
    assert [(event.kind, msgspec.json.decode(event.data)) for event in forked] == [
        (CONTROL, {"generation": 2, "offset": 5})
    ]
    assert sorted(ids([event for event in found if event.type != FORKED])) == [f"e{n}" for n in range(1, 9)]
    again = Writer(third)
    assert again.position == 0
    assert third.rows(0, "rules", ["k"]) == {}
    for log in (first, second, third):
        log.close()


def test_each_loss_is_a_generation_of_its_own_and_none_is_forgotten(servers: Servers, tmp_path: Path) -> None:
    log = opened(servers.url())
    log.append([Append(0, events(1, 2)), Append(1, events(1, 1))])
    rewound = Rewound(servers, tmp_path)
    log.append([Append(0, events(3, 4))])
    rewound.rewind()
    log.append([Append(0, events(5, 9))])
    assert [(fork.generation, fork.offset) for fork in log.forks] == [(2, 2)]
    assert log.info.generation == 2

    # This takes the note of the first one, too.
    rewound.rewind()
    log.append([Append(1, events(2, 3))])
    log.append([Append(0, events(5, 9))])
    log.beat("a", AGENT, {}, 10)
    assert [(fork.generation, fork.partition, fork.offset) for fork in log.forks] == [(2, 0, 2), (3, 0, 2)]
    another = opened(servers.url())
    assert another.info.generation == 3
    assert another.forks == log.forks
    log.close()
    another.close()


def test_what_is_not_lost_is_no_fork(servers: Servers, tmp_path: Path) -> None:
    log = opened(servers.url())
    for number in range(3):
        log.append([Append(0, [event(number)])])
        owned(log, 1, f"owner{number}")
        servers.kill(servers.port)
        servers.start()
    log.append([Append(0, [event(9)])])
    assert log.info.generation == 1
    assert log.tail(0) == 4
    log.close()


def test_a_forks_note_is_the_same_for_all_who_make_it(servers: Servers, tmp_path: Path) -> None:
    logs = [opened(servers.url()) for _ in range(4)]
    logs[0].append([Append(0, events(1, 1))])
    rewound = Rewound(servers, tmp_path)
    for number, log in enumerate(logs):
        log.append([Append(0, events(2 + number, 2 + number))])
    rewound.rewind()
    for number, log in enumerate(logs):
        log.append([Append(0, events(2 + number, 2 + number), f"p{number}", [1])])
    for log in logs:
        log.beat("a", AGENT, {}, 10)
        assert [fork[:3] for fork in log.forks] == [Fork(2, 0, 1, 0)[:3]]
    assert [event.type for event in logs[0].read(0, 0, 100).events].count(FORKED) == 1
    for log in logs:
        log.close()


@pytest.mark.slow
def test_a_failover_is_survived_and_what_was_durable_is_there(replicated: Servers) -> None:
    log, other = opened(replicated.url()), opened(replicated.url())
    log.append([Append(0, events(1, 3), "p", [1, 2, 3])])
    writer = Writer(log)
    assert writer.commit(put("k", b"1"), outputs=[command(1)]) is Code.COMMITTED
    until(lambda: log.durable(0) == 3)

    (master,) = (port for port, _, role in replicated.members() if role == "server")
    replicated.kill(master)

    assert log.append([Append(0, events(3, 4), "p", [3, 4])])[0].known == 1
    assert writer.commit(put("k", b"2")) is Code.FENCED
    again = Writer(other)
    assert again.position == 1
    assert again.commit(put("k", b"2")) is Code.COMMITTED
    assert other.outputs(0, 0, 10) == (1, [command(1)])
    assert ids(other.read(0, 0, 10).events) == ["e1", "e2", "e3", "e4"]

    # The old master comes back with a claim to be one, until the sentinels have told it. Nobody is to believe it.
    back = threading.Thread(target=replicated.start)
    back.start()
    number = 5
    while back.is_alive():
        log.append([Append(0, [event(number)], "p", [number])])
        fresh = opened(replicated.url())
        assert fresh.tail(0) == other.tail(0) == number
        fresh.close()
        number += 1
        time.sleep(0.05)
    assert number > 20
    assert ids(other.read(0, 0, 10_000).events) == [f"e{n}" for n in range(1, number)]
    for each in (log, other):
        assert each.info.generation == 1
        each.close()


def test_nothing_is_durable_that_no_replica_has(replicated: Servers) -> None:
    log = opened(replicated.url())
    log.append([Append(0, events(1, 2))])
    until(lambda: log.durable(0) == 2)
    (replica,) = (pid for _, pid, role in replicated.members() if role == "replica")
    os.kill(replica, signal.SIGSTOP)
    try:
        log.append([Append(0, events(3, 4))])
        for _ in range(30):
            assert log.durable(0) == 2
            time.sleep(0.1)
    finally:
        os.kill(replica, signal.SIGCONT)
    until(lambda: log.durable(0) == 4)
    assert any("min-replicas-to-write" in text for text in log.warnings())
    log.close()
