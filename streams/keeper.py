"""Keeps leases of partitions for somebody else in the process: delivery, which works in an event loop.

One thread: it beats, takes what is its share and hands it on (`start`), renews, and gives back what became another's
share once `stop` has ended. It also tells of outputs of partitions that another process evaluates. Failures are
reported and tried again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from streams.log import Lease, Log, LogError, Role
from streams.ownership import Ownership

RETRY: Final = 0.1
"""Seconds until a partition that its holder has not given back yet is asked for again."""
PAUSE: Final = 1.0
"""Seconds after the log could not be reached."""


@dataclass
class _Kept:
    lease: Lease
    renewed: float
    seen: int = 0
    """Number of the last output that was told of."""
    ending: Future[None] | None = None
    """Set while it is being given back."""


class Keeper:
    """`start` and `news` are called in the keeper's thread and must not block; `stop` answers at once with what ends
    when nobody works on the partition any more. `told` says whether somebody else tells of a partition's outputs."""

    def __init__(
        self,
        log: Log,
        member: str,
        role: Role,
        *,
        lease: float,
        monotonic: Callable[[], float],
        start: Callable[[Lease], None],
        stop: Callable[[int], Future[None]],
        news: Callable[[int], None],
        told: Callable[[int], bool],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._log = log
        self._role = role
        self._lease = lease
        self._monotonic = monotonic
        self._start = start
        self._stop = stop
        self._news = news
        self._told = told
        self._failed = failed
        self._ownership = Ownership(log, member, role, lease=lease, monotonic=monotonic)
        self._kept: dict[int, _Kept] = {}
        self._lost: deque[Lease] = deque()
        self._forks = 0

    def lost(self, lease: Lease) -> None:
        """Somebody was refused under this lease: it is dropped. From any thread."""
        self._lost.append(lease)

    @property
    def partitions(self) -> list[int]:
        """From any thread."""
        return sorted(self._kept.copy())

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; `stop` of each partition is the caller's then, and `leave` afterwards."""
        while not stop.is_set():
            try:
                self._ownership.beat({})
                self._keep()
                self._wait(stop)
            except LogError as error:
                self._failed(error)
                stop.wait(PAUSE)

    def leave(self) -> None:
        """Releases everything. Raises LogError."""
        self._ownership.leave()
        while self._kept:
            _, kept = self._kept.popitem()
            self._log.release(kept.lease)

    def _keep(self) -> None:
        clock = self._monotonic()
        while self._lost:
            lease = self._lost.popleft()
            if (kept := self._kept.get(lease.partition)) is not None and kept.lease == lease:
                self._drop(kept)
        if len(self._log.forks) > self._forks:
            self._forks = len(self._log.forks)
            for kept in list(self._kept.values()):
                self._drop(kept)
        for kept in list(self._kept.values()):
            if kept.ending is None and kept.lease.partition not in self._ownership.share:
                kept.ending = self._stop(kept.lease.partition)
            if kept.ending is not None and kept.ending.done():
                del self._kept[kept.lease.partition]
                self._log.release(kept.lease)
            elif clock - kept.renewed > self._lease / 3:
                if self._log.renew(kept.lease, self._lease):
                    kept.renewed = clock
                else:
                    self._drop(kept)
        for partition in self._ownership.share - self._kept.keys():
            taken = self._log.acquire(partition, self._ownership.member, self._lease, self._role)
            if taken is not None:
                self._kept[partition] = _Kept(taken, clock)
                self._start(taken)

    def _drop(self, kept: _Kept) -> None:
        """Somebody else may have it already; what is still being done under the lease is refused."""
        del self._kept[kept.lease.partition]
        if kept.ending is None:
            self._stop(kept.lease.partition)

    def _wait(self, stop: threading.Event) -> None:
        missing = self._ownership.share - self._kept.keys()
        longest = min(self._ownership.wait, RETRY) if missing else self._ownership.wait
        seen = {partition: kept.seen for partition, kept in self._kept.items() if not self._told(partition)}
        if not seen:
            stop.wait(longest)
            return
        for partition, number in self._log.follow_outputs(seen, longest).items():
            self._kept[partition].seen = number
            self._news(partition)
