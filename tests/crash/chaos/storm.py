"""What befalls the processes: each kind of trouble comes at random times, about as often as asked."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from tests.conformance.redis_servers import Servers
from tests.crash.chaos.proxy import Proxy
from tests.crash.processes import ServerProcess
from tests.crash.shifted import set_clock

Kind = Literal["kill", "freeze", "cut", "tear", "stall", "jump", "restart"]
MEANING: Final[dict[Kind, str]] = {
    "kill": "SIGKILL of a process, which is started again",
    "freeze": "SIGSTOP of a process beyond its lease, then SIGCONT",
    "cut": "all connections of a process to Redis reset",
    "tear": "an answer of Redis that ends in its middle",
    "stall": "nothing passes between a process and Redis, and nobody is told",
    "jump": "the wall clock of a process's machine jumps by up to a day",
    "restart": "SIGKILL of Redis, which is started again from its file",
}
NOBODY: Final = ("start it, or name the right host", "Error while reading", "Connection closed by server")
"""What a process says that met no Redis, or lost it while it started."""
DAY: Final = 86_400
ATTEMPTS: Final = 3
"""Of a process to start, when it is calm."""


class Storm:
    """`every`: seconds between two of a kind, on average. Drive it with `step`, and end it with `calm`."""

    def __init__(
        self,
        workers: Sequence[ServerProcess],
        proxies: Sequence[Proxy],
        redis: Servers,
        clock: Path,
        *,
        every: Mapping[Kind, float],
        lease: float,
        settings: Sequence[dict[str, str]],
        chance: random.Random,
    ) -> None:
        """`clock`: the file of the first worker's wall clock. `settings` of each worker, which it is started with."""
        self._workers = workers
        self._proxies = proxies
        self._redis = redis
        self._clock = clock
        self._every = every
        self._lease = lease
        self._settings = settings
        self._chance = chance
        self._next = {kind: self._after(kind) for kind in every}
        self._frozen: dict[int, float] = {}
        self._stalled: dict[int, float] = {}
        self.revived = 0
        self.counts: Counter[Kind] = Counter(dict.fromkeys(every, 0))
        self._acts: dict[Kind, Callable[[int], None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "cut": lambda number: self._proxies[number].cut(),
            "tear": lambda number: self._proxies[number].tear(),
            "stall": self._stall,
            "jump": self._jump,
            "restart": self._restart,
        }

    def _after(self, kind: Kind) -> float:
        return time.monotonic() + self._every[kind] * self._chance.uniform(0.5, 1.5)

    def start(self) -> None:
        for worker, settings in zip(self._workers, self._settings, strict=True):
            worker.spawn(**settings)
        for worker in self._workers:
            worker.wait_ready()
        # A library that cannot be loaded is passed over, and no clock would ever jump.
        assert "libfaketime" in Path(f"/proc/{self._workers[0].process.pid}/maps").read_text()

    def step(self) -> None:
        """Lets happen what is due."""
        self._thaw(time.monotonic())
        self._revive()
        for kind, at in self._next.items():
            awake = [number for number, each in enumerate(self._workers) if number not in self._frozen and each.alive]
            if time.monotonic() < at or (kind in ("kill", "freeze") and len(awake) < 2):
                continue
            self._acts[kind](self._chance.choice(awake))
            self.counts[kind] += 1
            self._next[kind] = self._after(kind)

    def calm(self) -> None:
        """Everything runs again, and nothing more happens."""
        self._thaw(float("inf"))
        for worker in self._workers:
            for _ in range(ATTEMPTS):
                if not worker.ready:
                    self._revive()
                    with suppress(AssertionError):  # it met no Redis when it started, before the calm
                        worker.wait_ready()
            assert worker.ready, worker.said()

    def _revive(self) -> None:
        """A process that meets no Redis when it starts says so and ends: who supervises it starts it again."""
        for worker, settings in zip(self._workers, self._settings, strict=True):
            if not worker.alive:
                last = worker.said().splitlines()[-1]
                assert last.startswith("orchestrator: "), worker.said()
                assert any(each in last for each in NOBODY), worker.said()
                worker.clean_up()
                worker.spawn(**settings)
                self.revived += 1

    def _thaw(self, now: float) -> None:
        for number, until in list(self._frozen.items()):
            if now >= until:
                os.kill(self._workers[number].process.pid, signal.SIGCONT)
                del self._frozen[number]
        for number, until in list(self._stalled.items()):
            if now >= until:
                self._proxies[number].flow()
                del self._stalled[number]

    def _kill(self, number: int) -> None:
        self._workers[number].kill()
        self._workers[number].spawn(**self._settings[number])

    def _freeze(self, number: int) -> None:
        os.kill(self._workers[number].process.pid, signal.SIGSTOP)
        self._frozen[number] = time.monotonic() + self._lease * self._chance.uniform(1.2, 3)

    def _stall(self, number: int) -> None:
        self._proxies[number].stall()
        self._stalled[number] = time.monotonic() + self._lease * self._chance.uniform(0.5, 3)

    def _jump(self, number: int) -> None:
        set_clock(self._clock, self._chance.randint(-DAY, DAY))

    def _restart(self, number: int) -> None:
        self._redis.kill(self._redis.port)
        self._redis.start()
