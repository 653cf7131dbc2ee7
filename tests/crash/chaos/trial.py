"""One run: processes are started, events published, trouble made; then all is calm, and what came of it is compared
with what the embedded log makes of the same events undisturbed.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from replay.verify import verify
from streams.backends.open import open_log
from streams.log import Log, LogError
from streams.worker import RULES
from tests.conformance.redis_servers import Servers
from tests.crash import processes, wreck
from tests.crash.chaos import story
from tests.crash.chaos.proxy import Proxy
from tests.crash.chaos.storm import Kind, Storm
from tests.crash.processes import ServerProcess
from tests.crash.shifted import set_clock, variables

WORKERS: Final = 4
LEASE: Final = 1.0
SILENCE: Final = 90.0
"""Seconds without any progress after which a calm system is one that hangs."""
UNFENCED_WAIT: Final = 10.0
STEP: Final = 0.02
ROOT: Final = Path(__file__).parent.parent.parent.parent
UNFENCED: Final = [sys.executable, "-m", "tests.crash.chaos.unfenced"]


@dataclass
class Report:
    sent: int = 0
    refused: int = 0
    """Times that the log had no room, or gave no answer, and the producer came again."""
    seconds: float = 0.0
    """In which events were published."""
    drained: float = 0.0
    """Seconds until everything was evaluated, once it was calm."""
    counts: dict[Kind, int] = field(default_factory=dict)
    revived: int = 0
    """Processes that met no Redis when they started."""
    commands: int = 0
    differences: list[str] = field(default_factory=list)


class Load:
    """The producer's process."""

    def __init__(self, url: str, rate: int) -> None:
        self.counts = {"sent": 0, "refused": 0, "failed": 0}
        call = [sys.executable, "-m", "tests.crash.chaos.load", url, str(rate)]
        self._process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        self._thread = threading.Thread(target=self._listen, name="load")
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.counts = json.loads(line)

    def stop(self) -> None:
        """Whatever it began to send is stored then."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        assert self._process.wait(150) == 0, "the producer gave up"
        self._thread.join(10)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait(10)
        self._thread.join(10)
        self._process.stdout.close()


class Trial:
    """In `folder`, which may become as large as the events. `say` hears how it goes."""

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float,
        rate: int,
        every: Mapping[Kind, float],
        seed: int,
        fenced: bool = True,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._folder = folder
        self._seconds = seconds
        self._rate = rate
        self._every = every
        self._seed = seed
        self._fenced = fenced
        self._say = say
        self.report = Report()

    def run(self) -> Report:
        with ExitStack() as ends:
            redis = Servers(self._folder / "redis")
            ends.callback(redis.stop)
            address = f"127.0.0.1:{redis.port}"
            log = ends.enter_context(closing(_opened(address)))
            storm, workers = self._storm(redis, ends)
            storm.start()
            load = Load(f"redis://{address}/0?name=storm", self._rate)
            ends.callback(load.close)
            self._disturb(storm, load, log)
            load.stop()
            self.report.sent = load.counts["sent"]
            self.report.refused = load.counts["refused"] + load.counts["failed"]
            storm.calm()
            self.report.counts, self.report.revived = dict(storm.counts), storm.revived
            self._drain(log)
            self._say(f"{self.report.sent:,} events again, undisturbed")
            wanted = story.undisturbed(self._folder, self.report.sent)
            self.report.commands = wanted.commands.total()
            if not self._fenced:
                for worker in workers:
                    worker.kill()
                self.report.differences = story.outcome(log).differences(wanted)
                return self.report
            self._deliver(log, wanted.commands.total())
            statuses = [worker.end(signal.SIGTERM) for worker in workers]
            assert statuses == [0] * WORKERS, (statuses, [worker.said() for worker in workers])
            self._judge(log, wanted)
            return self.report

    def _storm(self, redis: Servers, ends: ExitStack) -> tuple[Storm, list[ServerProcess]]:
        rules, targets, clock = (self._folder / name for name in ("rules.yaml", "targets.yaml", "clock"))
        rules.write_text(story.RULES)
        targets.write_text(story.TARGETS)
        set_clock(clock, 0)
        shifted = variables(clock)
        settings = {"ORCHESTRATOR_LEASE": str(LEASE), "PYTHONPATH": str(ROOT)}
        proxies, workers = [], []
        for number in range(WORKERS):
            proxies.append(Proxy(redis.port))
            ends.callback(proxies[-1].close)
            workers.append(
                ServerProcess(
                    self._folder,
                    rules,
                    targets,
                    story.PARTITIONS,
                    log=f"redis://127.0.0.1:{proxies[-1].port}/0?name=storm",
                    name=f"worker{number}",
                    program=processes.ORCHESTRATOR if self._fenced else UNFENCED,
                    options=["--roles", "agent,delivery"],
                )
            )
            ends.callback(workers[-1].clean_up)
        storm = Storm(
            workers,
            proxies,
            redis,
            clock,
            every=self._every,
            lease=LEASE,
            settings=[{**settings, **shifted} if number == 0 else settings for number in range(WORKERS)],
            chance=random.Random(self._seed),
        )
        return storm, workers

    def _disturb(self, storm: Storm, load: Load, log: Log) -> None:
        begun = told = time.monotonic()
        while (now := time.monotonic()) - begun < self._seconds:
            storm.step()
            if now - told >= 10:
                told = now
                with suppress(LogError):  # Redis is being started again
                    done, waiting = _progress(log)
                    counts = " ".join(f"{kind} {count}" for kind, count in storm.counts.items())
                    sent = load.counts["sent"]
                    self._say(f"{now - begun:4.0f} s  sent {sent:,}  evaluated {done:,}  waiting {waiting:,}  {counts}")
            time.sleep(STEP)
        self.report.seconds = time.monotonic() - begun

    def _drain(self, log: Log) -> None:
        """Until no event waits. What has an end needs no limit beyond that it moves."""
        begun = moved = time.monotonic()
        last, waiting = _progress(log)
        while waiting:
            if not self._fenced and time.monotonic() - begun > UNFENCED_WAIT:
                break  # it need not come to rest
            assert time.monotonic() - moved < SILENCE, f"{waiting} events wait, and nothing moves"
            time.sleep(0.5)
            done, waiting = _progress(log)
            if done != last:
                last, moved = done, time.monotonic()
        self.report.drained = time.monotonic() - begun

    def _deliver(self, log: Log, commands: int) -> None:
        """Until as many commands were delivered as there must be."""
        moved, last = time.monotonic(), -1
        while (done := len(wreck.done(wreck.ledger(log)))) < commands:
            if done != last:
                last, moved = done, time.monotonic()
            if time.monotonic() - moved > SILENCE:
                return  # what is missing is told by the comparison
            time.sleep(1.0)

    def _judge(self, log: Log, wanted: story.Outcome) -> None:
        found = self.report.differences
        found += story.outcome(log).differences(wanted)
        found += [f"the log lost events: {fork}" for fork in log.forks]
        delivered = wreck.results(log)
        if twice := [id for id, times in delivered.items() if times > 1]:
            found.append(f"{len(twice)} commands have more than one result")
        if len(delivered) != wanted.commands.total():
            found.append(f"{len(delivered):,} commands have a result, of {wanted.commands.total():,}")
        self._say("verify: every partition once more, from its first event")
        verified = verify(log, story.processor_of)
        if not verified.clean:
            found.append(f"verify: {verified.difference}")
        if held := [status.partition for status in log.status() if status.owner is not None]:
            found.append(f"partitions {held} were not given back")


def _opened(address: str) -> Log:
    url = f"redis://{address}/0?name=storm"
    return open_log(url, partitions=story.PARTITIONS, now=lambda: time.time_ns() // 1000)


def _progress(log: Log) -> tuple[int, int]:
    """Events that are evaluated, and that are not."""
    statuses = log.status()
    done = sum(status.positions.get(RULES, 0) for status in statuses)
    return done, sum(status.tail for status in statuses) - done
