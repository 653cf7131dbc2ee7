"""Several calls at once on servers: what happens to one partition, or to the server of some, concerns no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from streams.backends.redis.open import open_redis
from streams.backends.redis.url import parse
from streams.log import Append, Code, Log, LogDamaged, LogUnavailable, Read, Rows
from tests.conformance.backends import SMALL, Clock, Writer, command, event, events, ids, put, redis_url
from tests.conformance.proxy import Proxy
from tests.conformance.redis_servers import Servers, addresses

FAR = 12
"""Partitions, so that each of three masters has some."""


def opened(url: str, partitions: int = 3) -> Log:
    return open_redis(parse(url), partitions=partitions, limits=SMALL, clock=Clock())


def admin() -> redis.Redis:
    return redis.Redis(port=int(addresses("single").rpartition(":")[2]))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = opened(redis_url("single", tmp_path))
    yield log
    log.close()


def test_what_is_damaged_in_one_partition_keeps_no_other_from_being_done(log: Any, tmp_path: Path) -> None:
    writers = [Writer(log, partition) for partition in range(3)]
    log.append([Append(1, events(1, 1))])
    name = redis_url("single", tmp_path).rpartition("=")[2]
    admin().set(f"{{{name}:1}}:rows:rules:k", "something else")

    first, damaged, rows, read, last = log.together(
        [
            writers[0].next(put("k", b"1")),
            writers[1].next(put("k", b"1")),
            Rows(1, "rules", ["k"]),
            Read(1, 0, 10),
            writers[2].next(put("k", b"1")),
        ]
    )

    assert (first, last) == (Code.COMMITTED, Code.COMMITTED)
    assert isinstance(damaged, LogDamaged)
    assert isinstance(rows, LogDamaged)
    assert ids(read.events) == ["e1"]


def test_a_stream_that_holds_something_else_keeps_no_other_from_being_read(log: Any, tmp_path: Path) -> None:
    log.append([Append(0, events(1, 2)), Append(2, events(1, 3))])
    name = redis_url("single", tmp_path).rpartition("=")[2]
    admin().set(f"{{{name}:1}}:log", "something else")

    first, damaged, last = log.together([Read(partition, 1, 10) for partition in range(3)])

    assert (ids(first.events), ids(last.events)) == (["e2"], ["e2", "e3"])
    assert isinstance(damaged, LogDamaged)


def test_what_cannot_be_written_is_refused_alone(log: Log) -> None:
    writers = [Writer(log, partition) for partition in range(2)]
    unwritable = msgspec.structs.replace(command(1), args={"n": object()})

    refused, good = log.together([writers[0].next(outputs=[unwritable]), writers[1].next(put("k", b"1"))])

    assert isinstance(refused, TypeError)
    assert good is Code.COMMITTED


def test_scripts_that_the_server_forgot_are_sent_again_for_each(log: Log) -> None:
    writers = [Writer(log, partition) for partition in range(3)]
    for _ in range(2):
        admin().script_flush()
        assert log.together([writer.next(put("k", b"1")) for writer in writers]) == [Code.COMMITTED] * 3
        for writer in writers:
            writer.position += 1


def test_commits_whose_answers_were_lost_are_done_and_written_once(tmp_path: Path) -> None:
    host, port = addresses("single").split(":")
    proxy = Proxy((host, int(port)))
    log = opened(f"redis://127.0.0.1:{proxy.port}?name={redis_url('single', tmp_path).rpartition('=')[2]}")
    writers = [Writer(log, partition) for partition in range(3)]
    # So that the script is known, and goes by its hash.
    assert log.commit(writers[0].next()) is Code.COMMITTED
    writers[0].position += 1
    proxy.lose(1, b"EVALSHA")

    codes = log.together([each.next(put("k", b"1"), outputs=[command(1)], events=[event(1)]) for each in writers])

    assert proxy.lost == 1
    assert set(codes) == {Code.DONE}
    assert [(each.tail, each.outputs) for each in log.status()] == [(1, 1)] * 3
    log.close()
    proxy.close()


def test_a_server_that_does_not_answer_is_unavailable_for_each(tmp_path: Path) -> None:
    log = opened(f"{redis_url('single', tmp_path)}&timeout=0.6")
    writers = [Writer(log, partition) for partition in range(2)]
    admin().execute_command("CLIENT", "PAUSE", 2000)

    answers = log.together([writers[0].next(put("k", b"1")), Read(1, 0, 10)])

    admin().execute_command("CLIENT", "UNPAUSE")
    assert [type(each) for each in answers] == [LogUnavailable, LogUnavailable]
    assert log.commit(writers[1].next(put("k", b"1"))) is Code.COMMITTED
    log.close()


def test_commits_reach_the_masters_that_are_left(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "servers", "--cluster", "3", ports=3)
    try:
        log = opened(f"{servers.url()}&timeout=1.5", FAR)
        writers = [Writer(log, partition) for partition in range(FAR)]
        dead = int(servers.addresses[0].rpartition(":")[2])
        servers.kill(dead)

        codes = log.together([writer.next(put("k", b"1")) for writer in writers])

        unreached = [code for code in codes if isinstance(code, LogUnavailable)]
        assert 0 < len(unreached) < FAR
        assert [code for code in codes if code not in unreached] == [Code.COMMITTED] * (FAR - len(unreached))
        log.close()
    finally:
        servers.stop()
