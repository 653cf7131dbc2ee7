"""Delivery of a process: the partitions it owns, the targets it has, and what is wrong with either.

The shell makes one and opens it in its event loop. Whoever owns partitions calls `start` with each lease it gets, and
`stop` before it gives one up; after commits it calls `notify`. Leases and outcomes go to the log in threads, so the
loop never waits for a disk. An exception inside is reported (`failed`), shown by `problems` until it has passed, and
what raised it begins again after a pause: delivery never ends by itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.adapter import Adapter
from adapters.alarm_board import AlarmBoard
from adapters.desk import Desk
from adapters.gates import Gates
from adapters.partition_loop import Pace, PartitionLoop
from adapters.processor import Delivery
from adapters.target import Target
from adapters.turn import Ack, Bounds, Turn
from adapters.work import Verdict, Work
from adapters.workers import Workers
from streams.log import Lease, Log

REOPEN: Final = 1.0
"""Seconds until workers that failed begin again, doubled up to LONGEST_REOPEN."""
LONGEST_REOPEN: Final = 30.0
THERE: Final = 1.0
"""Seconds in which work that is known to be there is leased, commit included."""
DISARMED: Final = (
    "delivery is disarmed: nothing is sent until somebody confirms how many commands wait, see `orchestrator delivery "
    "status`"
)
CLOSING: Final = 5.0
"""Seconds that an adapter may take to close after another could not be opened."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    threads: int = 2
    """Turns of so many partitions run at once."""
    batch: int = 64
    """Commands that a partition hands out for a target at once, where so many are asked for."""
    bounds: Bounds = field(default_factory=Bounds)
    pace: Pace = field(default_factory=Pace)
    disarmed: int = 0
    """Since when nothing is sent until somebody confirms it (`arming.py`); 0: as the log says."""


class Engine:
    """`now`: the wall clock in microseconds. `chance`: draws from [0, 1). `failed`: told where and what, in the event
    loop. `observed`: told (target, verdict, seconds) of each attempt. `fenced`: told the lease under which a partition
    was refused, because somebody else has it."""

    def __init__(
        self,
        log: Log,
        targets: Mapping[str, Target],
        *,
        now: Callable[[], int],
        chance: Callable[[], float],
        failed: Callable[[str, Exception], None],
        observed: Callable[[str, str, float], None] = lambda target, verdict, seconds: None,
        fenced: Callable[[Lease], None] = lambda lease: None,
        options: EngineOptions | None = None,
    ) -> None:
        self._log = log
        self._targets = dict(targets)
        self._now = now
        self._chance = chance
        self._report = failed
        self._observed = observed
        self._fenced = fenced
        self._options = options or EngineOptions()
        self.counts: Counter[str] = Counter()
        """`WHAT|TARGET` as in `Turn.counts`, since the start."""
        self._problems: dict[str, str] = {}
        self._desk = Desk(self._targets, self._turned, self._turn_failed, self._options.batch)
        self._tasks: dict[PartitionLoop, asyncio.Task[None]] = {}
        self._workers: dict[str, Workers] = {}
        self._adapters: dict[str, Adapter] = {}
        self._restarts: dict[int, asyncio.TimerHandle] = {}
        self._pools: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        gates = {name: target.gate for name, target in self._targets.items()}
        alarms = {name: target.alarm for name, target in self._targets.items() if target.alarm is not None}
        self._gates = Gates(gates, self._changed, self._options.disarmed)
        self._board = AlarmBoard(alarms, self._changed)
        self._threads = ThreadPoolExecutor(self._options.threads, "delivery")

    # -- life

    async def open(self) -> None:
        """Opens every target. Raises what opening an adapter raises; those opened before it are closed then."""
        self._loop = asyncio.get_running_loop()
        try:
            for target in self._targets.values():
                if target.open is not None:
                    self._adapters[target.name] = target.open()
        except BaseException:
            await self._close_adapters(CLOSING)
            raise
        for name, adapter in self._adapters.items():
            workers = self._workers[name] = Workers(
                self._targets[name],
                adapter,
                self._desk,
                self._now,
                self._may_be_sent,
                lambda verdict, seconds, name=name: self._attempted(name, verdict, seconds),  # type: ignore[misc]
                lambda error, name=name: self._adapter_failed(name, error),  # type: ignore[misc]
            )
            workers.share(0.0)  # until partitions are here
            self._pools.append(asyncio.create_task(self._keep_working(name, workers)))

    def start(self, lease: Lease) -> None:
        """The partition is ours: its commands are delivered from now on. From any thread, after `open`."""
        assert self._loop is not None, "open it first"
        self._loop.call_soon_threadsafe(self._start, lease)

    def notify(self, partition: int) -> None:
        """Something was committed there. From any thread, and cheap."""
        assert self._loop is not None, "open it first"
        self._loop.call_soon_threadsafe(self._notify, partition)

    def stop(self, partition: int, timeout: float = 10.0) -> Coroutine[Any, Any, None]:
        """Stops delivering from a partition: what waits is given back, what is being sent may end within `timeout`
        seconds, and what became of it is stored. The lease is the caller's to release, afterwards.

        Nothing more is leased from the moment of the call, in the event loop; awaiting it does the rest. What is
        started after the call, with a later lease, is not touched."""
        if (restart := self._restarts.pop(partition, None)) is not None:
            restart.cancel()
        loop = self._desk.loops.get(partition)
        if loop is not None:
            loop.open = False
        return self._stop(partition, loop, timeout)

    async def _stop(self, partition: int, loop: PartitionLoop | None, timeout: float) -> None:
        if loop is None:
            return
        self._desk.withdraw(partition)
        await asyncio.gather(*(workers.stop(partition, timeout) for workers in self._workers.values()))
        await self._end(loop, timeout)

    async def close(self, timeout: float = 10.0) -> None:
        """Stops all partitions and closes all targets, within about twice `timeout` seconds."""
        self._closed = True
        for pool in self._pools:
            pool.cancel()
        await asyncio.gather(*self._pools, return_exceptions=True)
        await asyncio.gather(*(self.stop(partition, timeout) for partition in {*self._desk.loops, *self._restarts}))
        await asyncio.gather(*(workers.stop(None, 0.0) for workers in self._workers.values()))
        await self._close_adapters(timeout)
        self._threads.shutdown(wait=False)

    # -- looking, and work for others

    def problems(self) -> list[str]:
        """What is wrong now, in words."""
        held = {_target(name): what for name, what in self._gates.problems(self._now()).items()}
        found = [f"{where}: {what}" for where, what in sorted((self._problems | held).items())]
        return [DISARMED, *found] if self.disarmed else found

    @property
    def disarmed(self) -> int:
        """Since when nothing is sent from partitions that it has, microseconds since 1970; 0 if that is so of none."""
        return self._gates.disarmed

    def held(self) -> dict[str, tuple[bool, bool]]:
        """Target → whether its breaker is open, whether it is paused. From any thread."""
        return self._gates.held(self._now())

    @property
    def partitions(self) -> list[int]:
        """Those it delivers from."""
        return sorted(self._desk.loops)

    async def lease(self, target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        """Work for somebody outside this process (`work.WorkSource`), of the partitions that are delivered from here.
        DeliveryError if there is no such target. What is known to be there is waited for, whatever `wait` says."""
        if any(target in loop.ready for loop in self._desk.loops.values()):
            wait = max(wait, THERE)
        return await self._desk.lease(target, limit, ttl, wait, outside=True)

    def acknowledge(self, ack: Ack) -> asyncio.Future[bool | None]:
        """As `work.WorkSource`, of what was leased here or elsewhere; what became of the command is in `ack` then."""
        return self._desk.take(ack)

    # -- inside

    def _start(self, lease: Lease) -> None:
        partition = lease.partition
        if (restart := self._restarts.pop(partition, None)) is not None:
            restart.cancel()
        if self._closed:
            return
        if (older := self._desk.loops.get(partition)) is not None:
            self._tasks[older].cancel()  # of an older epoch: what it would store is refused anyway
        policies = {name: target.retry for name, target in self._targets.items()}
        delivery = Delivery(self._log, lease, policies, self._chance, self._options.bounds, self._gates, self._board)
        loop = PartitionLoop(partition, delivery, self._desk, self._threads, self._now, self._options.pace)
        self._desk.loops[partition] = loop
        self._share()
        task = self._tasks[loop] = asyncio.create_task(loop.run())
        task.add_done_callback(lambda task: self._ended(lease, loop, task))

    def _notify(self, partition: int) -> None:
        if (loop := self._desk.loops.get(partition)) is not None:
            loop.notify()

    async def _end(self, loop: PartitionLoop, timeout: float) -> None:
        task = self._tasks.get(loop)
        loop.close()
        if task is not None:
            await asyncio.wait((task,), timeout=timeout)
            if task.cancel():
                await asyncio.wait((task,), timeout=timeout)

    def _ended(self, lease: Lease, loop: PartitionLoop, task: asyncio.Task[None]) -> None:
        partition = lease.partition
        del self._tasks[loop]
        ours = self._desk.loops.get(partition) is loop
        if ours:
            del self._desk.loops[partition]
            self._gates.leave(partition)
            self._board.leave(partition)
            self._share()
            self._problems.pop(_partition(partition), None)
        if loop.fenced:
            self._fenced(lease)
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, Exception), error
            self._fail(_partition(partition), error)
            if ours and not self._closed:
                again = asyncio.get_running_loop().call_later(REOPEN, self._start, lease)
                self._restarts[partition] = again

    def _share(self) -> None:
        """Of the rates of targets, and of their concurrency, this process may use as much as it has of the
        partitions."""
        share = len(self._desk.loops) / self._log.info.partitions
        self._gates.share(share, self._now())
        for workers in self._workers.values():
            workers.share(share)

    def _may_be_sent(self, work: Work) -> bool:
        return self._desk.holds(work) and not self._gates.shut(work.partition, work.target, self._now())

    def _changed(self) -> None:
        """From any thread."""
        if self._loop is not None and not self._closed:
            self._loop.call_soon_threadsafe(self._look_again)

    def _look_again(self) -> None:
        for loop in self._desk.loops.values():
            loop.notify()

    def _turned(self, partition: int, turn: Turn) -> None:
        self.counts.update(turn.counts)
        self._problems.pop(_partition(partition), None)

    def _turn_failed(self, partition: int, error: Exception) -> None:
        self._fail(_partition(partition), error)

    async def _keep_working(self, name: str, workers: Workers) -> None:
        pause = REOPEN
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await workers.run()
            except Exception as error:
                if asyncio.get_running_loop().time() - began > LONGEST_REOPEN:
                    pause = REOPEN
                self._fail(_target(name), error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_REOPEN)

    def _attempted(self, name: str, verdict: Verdict, seconds: float) -> None:
        if verdict is Verdict.DONE:
            self._problems.pop(_target(name), None)
        self._observed(name, verdict.value, seconds)

    def _adapter_failed(self, name: str, error: Exception) -> None:
        self._fail(_target(name), error)

    def _fail(self, where: str, error: Exception) -> None:
        self.counts[f"failed|{where}"] += 1
        self._problems[where] = f"{type(error).__name__}: {error}"
        self._report(where, error)

    async def _close_adapters(self, timeout: float) -> None:
        for name, adapter in self._adapters.items():
            try:
                async with asyncio.timeout(timeout):
                    await adapter.close()
            except Exception as error:
                self._fail(_target(name), error)
        self._adapters.clear()


def _partition(number: int) -> str:
    return f"delivery of partition {number}"


def _target(name: str) -> str:
    return f"target {name}"
