"""Servers, workers and a producer that a test disturbs: what they do, how they are killed, and what must be true in
the end. The seed is logged: `CRASH_SEED=… pytest` draws the same moments again."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any, Final

import requests

from adapters.ledger import Entry
from streams.backends.open import open_log
from streams.log import Log
from tests.conformance.redis_servers import Servers
from tests.crash import wreck
from tests.crash.processes import ServerProcess, WorkerProcess
from tests.crash.producer import Producer

PARTITIONS: Final = 8
LEASE: Final = "5s"
"""Of commands, with a worker: the shortest there is, so that what a dead one held soon comes again."""
WITHIN: Final = 60.0
"""Seconds in which everything is delivered after the last kill."""
_log = logging.getLogger(__name__)


def draw() -> random.Random:
    seed = int(os.environ.get("CRASH_SEED", random.randrange(10**6)))
    _log.warning("CRASH_SEED=%d", seed)
    return random.Random(seed)


class WorkerRun:
    """On the embedded log there is one server; several share a log in Redis, and each worker knows one of them.
    `frameworks`: of each worker."""

    def __init__(
        self,
        folder: Path,
        chance: random.Random,
        rules: str,
        targets: str,
        frameworks: Sequence[str],
        ends: ExitStack,
        servers: int = 1,
    ) -> None:
        self.chance = chance
        self.kills: Counter[str] = Counter()
        self._frameworks = frameworks
        (folder / "rules.yaml").write_text(rules)
        (folder / "targets.yaml").write_text(targets)
        log = ""
        if servers > 1:
            redis = Servers(folder / "redis")
            ends.callback(redis.stop)
            log = redis.url("workers")
        files = (folder / "rules.yaml", folder / "targets.yaml")
        self.servers = [
            ServerProcess(folder, *files, PARTITIONS, log=log, name=f"server{number}", options=["--lease", "1s"])
            for number in range(servers)
        ]
        self.workers = [
            WorkerProcess(folder, files[1], self.servers[number % servers].url, name=f"worker{number}")
            for number in range(len(frameworks))
        ]
        for process in (*self.servers, *self.workers):
            ends.callback(process.clean_up)
        for server in self.servers:
            server.spawn()
        for server in self.servers:
            server.wait_ready()
        for number in range(len(frameworks)):
            self._start_worker(number)
        self.producer = Producer([server.url for server in self.servers])
        ends.callback(self.producer.stop)

    def _start_worker(self, number: int) -> None:
        self.workers[number].spawn(FRAMEWORK=self._frameworks[number], ORCHESTRATOR_WORKER_LEASE=LEASE)

    def kill(self, least: float = 0.2, most: float = 1.0) -> None:
        """One of them, after a while, at any moment of its life; and starts it again."""
        time.sleep(self.chance.uniform(least, most))
        if self.chance.random() < 0.3:
            server = self.chance.choice(self.servers)
            server.kill()
            server.spawn()
            self.kills["server"] += 1
        else:
            number = self.chance.randrange(len(self.workers))
            self.workers[number].kill()
            self._start_worker(number)
            self.kills["worker"] += 1
            self.kills[self._frameworks[number]] += 1

    def finish(self) -> None:
        """Everything is delivered, and all processes end in order."""
        self.producer.stop()
        for server in self.servers:
            if not server.ready:
                server.wait_ready()
        end = time.monotonic() + WITHIN
        while left := self._open():
            assert time.monotonic() < end, left
            time.sleep(0.2)
        for process in (*self.workers, *self.servers):
            assert process.end(signal.SIGTERM) == 0, process.said()

    def _open(self) -> list[Any]:
        """The partitions in which something is left to do."""
        found = requests.get(f"{self.servers[0].url}/v1/partitions", timeout=10).json()["partitions"]
        return [each for each in found if each["lag"] or each["undelivered"]]

    def log(self) -> AbstractContextManager[Log]:
        """Of servers that have ended."""
        server = self.servers[0]
        if len(self.servers) == 1:
            return wreck.opened_copy(server.database, PARTITIONS)
        return closing(open_log(server.log, now=lambda: time.time_ns() // 1000, create=False))

    def ended(self) -> list[Entry]:
        """Every command, once, done, and told once."""
        with self.log() as log:
            decided = wreck.commands(log)
            assert set(decided.values()) == {1}
            entries = wreck.ledger(log)
            assert Counter(entry.command.id for entry in entries) == decided
            assert wreck.done(entries) == decided.keys(), "none is parked, expired or lost"
            assert wreck.results(log) == decided, "one outcome each"
        return entries


def reached(entries: Sequence[Entry], seen: Mapping[str, int], where: str) -> int:
    """That these commands, and no others, were seen there, no more often than the ledger knows; how often too often."""
    attempts = {entry.command.id: entry.attempts for entry in entries if entry.command.to == where}
    assert seen.keys() == attempts.keys(), f"{where}: one id at every attempt"
    unknown = {id: count for id, count in seen.items() if count > attempts[id]}
    assert unknown == {}, "what is sent is in the ledger before"
    return sum(seen.values()) - len(seen)
