"""A master dies under load and its replica takes over, with everything or with less.

Two servers share the log, a producer publishes through both and keeps what it published, a webhook receives the
commands. Where something is to be lost, the replica is frozen and more is written to its connection than the kernels'
buffers hold: what the master answers for after that never leaves its process.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

import pytest
import redis
from redis.exceptions import MovedError

from replay.verify import verify
from streams.backends.open import open_log
from streams.keys import partition_of
from streams.log import Log
from tests.conformance.redis_servers import Servers
from tests.crash import wreck
from tests.crash.chaos.story import processor_of
from tests.crash.processes import ServerProcess
from tests.crash.producer import BATCH, Producer, key
from tests.crash.receiver import Receiver

RULES: Final = """
ruleset: failover
projections:
  totals:
    fold:
      paid:
        count: "(has(row.count) ? row.count : 0) + 1"
        sum: "(has(row.sum) ? row.sum : 0) + event.data.n"
rules:
  tenth:
    on: paid
    when: event.data.n % 10 == 0
    then: [{command: praise, to: office, args: {n: "${event.data.n}"}}]
"""
PARTITIONS: Final = 16
LEASE: Final = "1s"
MORE_THAN_BUFFERS: Final = 32 << 20
"""Bytes: of a connection over loopback the kernels keep about ten million."""
WAIT: Final = 60.0
"""Seconds in which anything must have happened."""
Form = Literal["sentinel", "cluster"]
OPTIONS: Final[dict[Form, tuple[list[str], int, str]]] = {
    "sentinel": (["--sentinel"], 5, "&sentinel=main"),
    "cluster": (["--cluster", "3", "--replicas", "1"], 6, ""),
}


class Pair(NamedTuple):
    """Ports of a master and of the replica that will take over."""

    master: int
    replica: int


class Running:
    def __init__(self, folder: Path, form: Form, ends: ExitStack) -> None:
        options, ports, query = OPTIONS[form]
        self.redis = Servers(folder / "redis", *options, ports=ports)
        ends.callback(self.redis.stop)
        self.url = self.redis.url("failover") + query
        self.receiver = Receiver(random.Random(1), 0.0)
        ends.callback(self.receiver.close)
        rules, targets = folder / "rules.yaml", folder / "targets.yaml"
        rules.write_text(RULES)
        targets.write_text(self.receiver.targets("office", attempts=1000))
        self.servers = [
            ServerProcess(
                folder, rules, targets, PARTITIONS, log=self.url, name=f"server{number}", options=["--lease", LEASE]
            )
            for number in range(2)
        ]
        for server in self.servers:
            ends.callback(server.clean_up)
            server.spawn()
        for server in self.servers:
            server.wait_ready()
        self.producer = Producer([server.url for server in self.servers])
        ends.callback(self.producer.stop)

    def opened(self) -> Log:
        return open_log(self.url, now=lambda: time.time_ns() // 1000, create=False)

    def pair(self) -> Pair:
        """The first master and its replica."""
        masters, replicas = {}, {}
        for port, _, role in self.redis.members():
            if role == "sentinel":
                continue
            with closing(self.redis.client(port)) as client:
                found = client.info("replication")
            if found["role"] == "master":
                masters[port] = found
            else:
                replicas[int(found["master_port"])] = port
        master = min(masters)
        return Pair(master, replicas[master])

    def pid(self, port: int) -> int:
        return next(pid for at, pid, _ in self.redis.members() if at == port)

    def health(self) -> list[str]:
        """What every server says is wrong."""
        found = []
        for server in self.servers:
            with urllib.request.urlopen(f"{server.url}/health", timeout=20) as answer:
                found.append(" ".join(json.loads(answer.read())["problems"]))
        return found

    def until(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT
        while not done():
            assert time.monotonic() < deadline, what + "\n".join(server.said() for server in self.servers)
            time.sleep(0.05)

    def published(self, more: int) -> None:
        """Waits until so many events more were answered for."""
        wanted = self.producer.sent + more
        self.until(lambda: self.producer.sent >= wanted, f"{more} events were not published")

    def finish(self, log: Log) -> None:
        """Waits until everything is evaluated and delivered, and compares it with a plain loop."""
        self.producer.stop()
        sent = self.producer.sent
        wanted = set(range(0, sent, 10))
        self.until(lambda: wreck.behind(log) == 0, "events are not evaluated")
        self.until(lambda: len(wreck.done(wreck.ledger(log))) >= len(wanted), "commands are not delivered")
        decided = wreck.commands(log)
        assert set(decided.values()) == {1}, "a command was decided twice"
        assert self.receiver.seen.keys() == decided.keys(), "what was delivered is not what the log has"
        assert Counter(body["args"]["n"] for body in self.receiver.bodies.values()) == dict.fromkeys(wanted, 1)
        assert wreck.results(log) == dict.fromkeys(decided, 1)
        counts, sums = Counter(map(key, range(sent))), Counter[str]()
        for number in range(sent):
            sums[key(number)] += number
        rows = {name: row for name, held in wreck.rows(log) for row in held.values()}
        assert rows == {name: {"count": counts[name], "sum": sums[name]} for name in counts}
        assert [server.end(signal.SIGTERM) for server in self.servers] == [0, 0]
        found = verify(log, processor_of)
        assert found.clean, found.difference
        assert list(log.check()) == []


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[Form], Running]]:
    with ExitStack() as ends:
        yield lambda form: Running(tmp_path, form, ends)


@pytest.mark.slow
def test_a_replica_takes_over_under_load_and_everything_is_done_once(run: Callable[[Form], Running]) -> None:
    """Of a cluster; `tests/conformance/test_redis_runs.py` has the like behind sentinels."""
    running = run("cluster")
    running.published(1_000)
    running.redis.kill(running.pair().master)
    running.published(1_000)
    with closing(running.opened()) as log:
        running.until(lambda: running.producer.generation == log.info.generation, "the producer was not told")
        running.finish(log)
        assert len(log.forks) == log.info.generation - 1


@pytest.mark.slow
@pytest.mark.parametrize("form", ["sentinel", "cluster"])
def test_what_a_master_took_with_it_is_a_new_generation_and_is_healed_by_sending_it_again(
    run: Callable[[Form], Running], form: Form
) -> None:
    running = run(form)
    running.published(1_000)
    pair = running.pair()
    with closing(running.redis.client(pair.master)) as client:
        lost = kept_by(client)
        assert lost
        os.kill(running.pid(pair.replica), signal.SIGSTOP)
        try:
            client.set(f"{{failover:{min(lost)}}}:filler", bytes(MORE_THAN_BUFFERS))
            frozen = running.producer.sent + BATCH
            running.published(1_000)
            running.redis.kill(pair.master)
            delivered = {command["args"]["n"] for command in list(running.receiver.bodies.values())}
        finally:
            os.kill(running.pid(pair.replica), signal.SIGCONT)
    kept_back = {n for n in range(frozen, frozen + 900) if n % 10 == 0 and partition_of(key(n), PARTITIONS) in lost}
    assert kept_back
    assert not kept_back & delivered, "delivered before a replica had what caused it"
    running.published(1_000)
    running.until(lambda: running.producer.generation > 1, "nobody noticed that events were lost")
    with closing(running.opened()) as log:
        running.until(lambda: running.producer.generation == log.info.generation, "the producer was not told")
        for said in running.health():
            assert f"generation {log.info.generation}" in said
        running.finish(log)
        assert [fork.generation for fork in log.forks] == list(range(2, log.info.generation + 1))
        assert {fork.partition for fork in log.forks} <= lost


def kept_by(client: redis.Redis) -> set[int]:
    """The partitions of this master."""
    found = set()
    for partition in range(PARTITIONS):
        with suppress(MovedError):
            assert client.exists(f"{{failover:{partition}}}:meta")
            found.add(partition)
    return found
