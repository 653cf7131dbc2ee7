"""Noise in some partitions, and whether the others notice: floods of poison, a long queue behind a blocked key, a
process that hardly gets any time. Two servers share the log; nothing is timed, only who is done first.

Work and noise are published while the processes stand still, so that they meet both at once; the noisy partition of a
process comes first in its turns.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec
import pytest

from replay.verify import verify
from rules.processor import RulesProcessor
from streams.backends.open import open_log
from streams.event import SKIPPED, Event, control, fingerprint
from streams.keys import partition_of
from streams.log import Append, PartitionStatus
from streams.outputs import Decision
from streams.state import BLOCKED
from streams.worker import RULES as EVALUATION
from tests.conformance.redis_servers import Servers
from tests.crash import poisonous, wreck
from tests.crash.chaos.story import processor_of
from tests.crash.poisonous import BAD
from tests.crash.processes import ServerProcess

RULES: Final = """
ruleset: noise
projections:
  totals:
    fold:
      paid: {count: "(has(row.count) ? row.count : 0) + 1"}
"""
ROOT: Final = Path(__file__).parents[2]
PARTITIONS: Final = 8
LEASE: Final = 10.0
FLOOD: Final = 1_500
BEHIND: Final = 100_000
WORK: Final = 200
"""Events of a quiet partition."""
PERIOD: Final = 1.0
AWAKE: Final = 0.2
"""Share of the time that a slow process gets."""
WAIT: Final = 60.0
"""Seconds in which anything must have happened."""


def _keys() -> dict[int, list[str]]:
    """By partition, more than FLOOD of each."""
    found: dict[int, list[str]] = {}
    for number in range(FLOOD * PARTITIONS * 2):
        found.setdefault(partition_of(f"k{number}", PARTITIONS), []).append(f"k{number}")
    return found


KEYS: Final = _keys()


def until(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def lag(status: PartitionStatus) -> int:
    return status.tail - status.positions.get(EVALUATION, 0)


class Running:
    def __init__(self, folder: Path, ends: ExitStack) -> None:
        redis = Servers(folder / "redis")
        ends.callback(redis.stop)
        rules, targets = folder / "rules.yaml", folder / "targets.yaml"
        rules.write_text(RULES)
        targets.write_text("targets:\n  log: {kind: log}\n")
        program = [sys.executable, "-m", "tests.crash.poisonous"]
        options = ["--lease", str(LEASE), "--roles", "agent,delivery"]
        self._servers = []
        for name in ("one", "two"):
            server = ServerProcess(
                folder, rules, targets, PARTITIONS, log=redis.url(), name=name, program=program, options=options
            )
            ends.callback(server.clean_up)
            server.spawn(PYTHONPATH=str(ROOT))
            self._servers.append(server)
        for server in self._servers:
            server.wait_ready()
        self.log = ends.enter_context(closing(open_log(redis.url(), now=lambda: time.time_ns() // 1000, create=False)))
        until(self.shares, "two processes do not share the partitions")
        self._made = 0

    def shares(self) -> dict[int, list[int]]:
        """The partitions of each process, by its id; empty until each has half of them."""
        found: dict[int, list[int]] = {}
        for status in self.log.status():
            if status.owner is not None:
                found.setdefault(int(status.owner.split(":")[1]), []).append(status.partition)
        return found if [len(each) for each in found.values()] == [PARTITIONS // 2] * 2 else {}

    def events(self, type: str, keys: Sequence[str]) -> list[Event]:
        found = []
        for key in keys:
            self._made += 1
            id = f"e{self._made}"
            found.append(Event(type, 1, key, key, "noise", id, fingerprint("noise", id), msgspec.Raw(b"{}")))
        return found

    def append(self, partition: int, events: Sequence[Event]) -> None:
        for start in range(0, len(events), 5_000):
            self.log.append([Append(partition, events[start : start + 5_000])])

    def give_work(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self.append(partition, self.events("paid", KEYS[partition][:WORK]))

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """All processes, for less than a lease."""
        begun = time.monotonic()
        for server in self._servers:
            os.kill(server.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for server in self._servers:
                os.kill(server.process.pid, signal.SIGCONT)
        assert time.monotonic() - begun < LEASE / 2, "this machine is too busy for what is tried here"

    def wait_for(self, partitions: Sequence[int]) -> None:
        until(
            lambda: not any(lag(status) for status in self.log.status() if status.partition in partitions),
            f"something waits in partitions {partitions}",
        )

    def left(self, partitions: Sequence[int]) -> list[int]:
        return [lag(status) for status in self.log.status() if status.partition in partitions]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as ends:
        yield Running(tmp_path_factory.mktemp("noise"), ends)


@pytest.fixture
def same_bug_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the servers, for `verify`."""
    monkeypatch.setattr(RulesProcessor, "step", poisonous.step)


@pytest.mark.slow
@pytest.mark.usefixtures("same_bug_here")
def test_a_flood_of_poison_holds_up_no_other_partition(running: Running) -> None:
    noisy = [min(share) for share in running.shares().values()]
    quiet = [partition for partition in range(PARTITIONS) if partition not in noisy]
    with running.standing_still():
        for partition in noisy:
            running.append(partition, running.events(BAD, KEYS[partition][:FLOOD]))
        running.give_work(quiet)
    running.wait_for(quiet)
    left = running.left(noisy)
    assert min(left) > FLOOD // 3, left
    running.wait_for(noisy)
    for partition in noisy:
        parked = [each.key for each in running.log.outputs(partition, 0, 100_000)[1] if isinstance(each, Decision)]
        assert parked == KEYS[partition][:FLOOD]
    found = verify(running.log, processor_of)
    assert found.clean, found.difference


@pytest.mark.slow
@pytest.mark.usefixtures("same_bug_here")
def test_a_blocked_key_with_a_long_queue_holds_up_no_other_partition_neither_as_it_waits_nor_when_it_is_freed(
    running: Running,
) -> None:
    noisy = min(min(share) for share in running.shares().values())
    quiet = [partition for partition in range(PARTITIONS) if partition != noisy]
    key = KEYS[noisy][-1]
    row = [BLOCKED + key]
    queue = running.events(BAD, [key]) + running.events("paid", [key] * BEHIND)
    with running.standing_still():
        running.append(noisy, queue)
        running.give_work(quiet)
    running.wait_for(quiet)
    assert min(running.left([noisy])) > BEHIND // 3
    running.wait_for([noisy])
    assert running.log.rows(noisy, EVALUATION, row)

    with running.standing_still():
        running.append(noisy, [control(SKIPPED, {}, time=1, key=key)])
        running.give_work(quiet)
    running.wait_for(quiet)
    assert running.log.rows(noisy, EVALUATION, row), "the key was free first"
    until(lambda: not running.log.rows(noisy, EVALUATION, row), "the key is not freed")
    counts = {name: held["count"] for name, rows in wreck.rows(running.log) for held in rows.values()}
    assert counts[key] == BEHIND
    found = verify(running.log, processor_of)
    assert found.clean, found.difference


@contextmanager
def slowed(process: int) -> Iterator[None]:
    """A process that stands still most of the time, from now on."""
    over = threading.Event()

    def drag() -> None:
        while True:
            os.kill(process, signal.SIGSTOP)
            ended = over.wait(PERIOD * (1 - AWAKE))
            os.kill(process, signal.SIGCONT)
            if ended or over.wait(PERIOD * AWAKE):
                return

    os.kill(process, signal.SIGSTOP)
    thread = threading.Thread(target=drag, name="drag")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


@pytest.mark.slow
def test_a_slow_process_keeps_its_partitions_and_holds_up_no_other(running: Running) -> None:
    (slow, late), (_, quick) = running.shares().items()
    epochs = {status.partition: status.epoch for status in running.log.status()}
    with slowed(slow):
        for partition in late:
            running.append(partition, running.events("paid", KEYS[partition][:1_500] * 8))
        running.give_work(quick)
        running.wait_for(quick)
        left = running.left(late)
        assert sum(left) > 0, "the slow one was done first"
        running.wait_for(late)
        assert {status.partition: status.epoch for status in running.log.status()} == epochs
