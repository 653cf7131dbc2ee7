"""Servers and workers are killed at random while commands go to a webhook through workers: every command is delivered
with one id, and ends in one recorded outcome.

Workers take commands over HTTP from servers, and a real receiver gets what they send. On the embedded log there is one
server; in Redis there are two, of which each worker knows one. The seed is logged: `CRASH_SEED=… pytest` draws the
same moments again.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from streams.backends.open import open_log
from streams.log import Log
from tests.conformance.redis_servers import Servers
from tests.crash import wreck
from tests.crash.processes import ServerProcess, WorkerProcess
from tests.crash.producer import Producer
from tests.crash.receiver import Receiver

RULES: Final = """
ruleset: praise
rules:
  fourth:
    on: paid
    when: event.data.n % 4 == 0
    then: [{command: praise, to: office, args: {n: "${event.data.n}"}}]
"""
TARGETS: Final = """
targets:
  office:
    kind: webhook
    url: http://127.0.0.1:{port}/penalties
    allow: [127.0.0.1/32]
    deliver: workers
    retry: {{initial: 100ms, max: 200ms, attempts: 1000}}
    breaker: off
"""
PARTITIONS: Final = 8
LEASE: Final = "5s"
"""Of commands, with a worker: the shortest there is, so that what a dead one held soon comes again."""
SLOW: Final = 0.02
"""Seconds that the receiver takes, so that deliveries are left for each kill."""
WORKERS: Final = 3
WITHIN: Final = 60.0
"""Seconds in which everything is delivered after the last kill."""
_log = logging.getLogger(__name__)


class Run:
    def __init__(self, folder: Path, servers: int, ends: ExitStack) -> None:
        seed = int(os.environ.get("CRASH_SEED", random.randrange(10**6)))
        _log.warning("CRASH_SEED=%d", seed)
        self.chance = random.Random(seed)
        self.receiver = Receiver(self.chance, SLOW)
        ends.callback(self.receiver.close)
        rules, targets = folder / "rules.yaml", folder / "targets.yaml"
        rules.write_text(RULES)
        targets.write_text(TARGETS.format(port=self.receiver.port))
        log = ""
        if servers > 1:
            redis = Servers(folder / "redis")
            ends.callback(redis.stop)
            log = redis.url("workers")
        self.servers = [
            ServerProcess(
                folder, rules, targets, PARTITIONS, log=log, name=f"server{number}", options=["--lease", "1s"]
            )
            for number in range(servers)
        ]
        self.workers = [
            WorkerProcess(folder, targets, self.servers[number % servers].url, name=f"worker{number}")
            for number in range(WORKERS)
        ]
        for process in (*self.servers, *self.workers):
            ends.callback(process.clean_up)
        for server in self.servers:
            server.spawn()
        for server in self.servers:
            server.wait_ready()
        for worker in self.workers:
            self._start(worker)
        self.kills: Counter[str] = Counter()
        self.producer = Producer([server.url for server in self.servers])
        ends.callback(self.producer.stop)

    def _start(self, worker: WorkerProcess) -> None:
        worker.spawn(FRAMEWORK="webhook", ORCHESTRATOR_WORKER_LEASE=LEASE)

    def kill(self) -> None:
        """One of them, after a while, at any moment of its life; and starts it again."""
        time.sleep(self.chance.uniform(0.2, 1.0))
        if self.chance.random() < 0.3:
            server = self.chance.choice(self.servers)
            server.kill()
            server.spawn()
            self.kills["servers"] += 1
        else:
            worker = self.chance.choice(self.workers)
            worker.kill()
            self._start(worker)
            self.kills["workers"] += 1
            self.kills["while it worked"] += len(self.receiver.seen) > len(self.receiver.acknowledged)

    def finish(self) -> None:
        """Everything is delivered, and all processes end in order."""
        self.producer.stop()
        self.receiver.pause = 0.0
        for server in self.servers:
            if not server.ready:
                server.wait_ready()
        end = time.monotonic() + WITHIN
        expected = self.producer.sent // 4
        while len(self.receiver.acknowledged) < expected or self._open():
            assert time.monotonic() < end, (expected, len(self.receiver.acknowledged), self._open())
            time.sleep(0.2)
        for process in (*self.workers, *self.servers):
            assert process.end(signal.SIGTERM) == 0, process.said()

    def _open(self) -> list[Any]:
        url = f"{self.servers[0].url}/v1/commands"
        states = ("pending", "in_flight", "retrying", "waiting")
        return [
            each["id"]
            for state in states
            for each in requests.get(url, {"state": state}, timeout=10).json()["commands"]
        ]

    def log(self) -> AbstractContextManager[Log]:
        """Of servers that have ended."""
        server = self.servers[0]
        if len(self.servers) == 1:
            return wreck.opened_copy(server.database, PARTITIONS)
        return closing(open_log(server.log, now=lambda: time.time_ns() // 1000, create=False))

    def check(self) -> None:
        with self.log() as log:
            decided = wreck.commands(log)
            assert len(decided) == self.producer.sent // 4
            assert set(decided.values()) == {1}
            entries = wreck.ledger(log)
            assert Counter(entry.command.id for entry in entries) == decided
            assert wreck.done(entries) == decided.keys(), "none is parked, expired or lost"
            assert wreck.results(log) == decided, "one outcome each"
        assert self.receiver.seen.keys() == decided.keys(), "one id at every attempt"
        assert self.receiver.acknowledged == decided.keys()
        attempts = {entry.command.id: entry.attempts for entry in entries}
        unknown = {id: seen for id, seen in self.receiver.seen.items() if seen > attempts[id]}
        assert unknown == {}, "nothing is sent that the ledger does not know of"
        again = sum(seen > 1 for seen in self.receiver.seen.values())
        _log.warning("%d commands, %d of them sent again, kills: %s", len(decided), again, dict(self.kills))


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[Callable[[int], Run]]:
    with ExitStack() as ends:
        yield lambda servers: Run(tmp_path, servers, ends)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("servers", [1, 2])
def test_every_command_ends_in_one_outcome_however_often_workers_and_servers_are_killed(
    make_run: Callable[[int], Run], servers: int
) -> None:
    run = make_run(servers)
    while run.kills["workers"] < 15 or min(run.kills["servers"], run.kills["while it worked"]) < 5:
        run.kill()
    run.finish()
    run.check()
