"""The last half hour, in memory: what charts, trends and rates are made of.

A task of each process that answers for the console looks at the log every few seconds and keeps a bounded number of
looks; a restart forgets them. Positions and tails are the log's, so they speak of all processes; commits and counts of
rules are this process's. Where the log did not answer there is no look, and charts have a gap. On one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from prometheus_client import Histogram

from orchestrator.console.latency import Buckets, buckets, quantile
from orchestrator.growing import Growing
from streams.log import Log, LogError, PartitionStatus
from streams.owned import PartitionView
from streams.worker import RULES

EVERY: Final = 2.0
"""Seconds between two looks."""
SPAN: Final = 60.0
"""Seconds that latency speaks of."""
TREND: Final = 10.0
"""Seconds that trends and rates speak of."""
POINT: Final = 10.0
"""Seconds between two points of a chart."""
POINTS: Final = 180
COUNTED: Final = 30.0
"""Seconds between two counts of rules that are kept."""
COUNTS: Final = 11
"""So many are kept: rates of rules speak of the last five minutes."""


class Look(NamedTuple):
    at: float
    """Seconds, monotonic."""
    tails: Mapping[int, int]
    positions: Mapping[int, int]
    commits: Buckets

    @property
    def lag(self) -> int:
        return sum(self.lag_of(partition) for partition in self.tails)

    def lag_of(self, partition: int) -> int:
        return max(0, self.tails[partition] - self.positions.get(partition, 0))


class Point(NamedTuple):
    """One point of the charts; None where it is not known."""

    at: int
    """Seconds since 1970."""
    lag: int | None
    arrived: float | None
    """Events a second."""
    evaluated: float | None
    """The same."""
    half: float | None
    """Seconds within which half of the commits were done."""
    most: float | None
    """The same of 99 in 100."""


class Counted(NamedTuple):
    at: float
    """Seconds, monotonic."""
    counts: Mapping[str, float]


class Recent:
    """`now` in microseconds since 1970, `monotonic` in seconds."""

    def __init__(
        self,
        log: Log,
        views: Callable[[], list[PartitionView]],
        commits: Histogram,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._log = log
        self._views = views
        self._commits = commits
        self._now = now
        self._monotonic = monotonic
        self._looks: deque[Look] = deque(maxlen=int(SPAN / EVERY) + 1)
        self._growing: Growing[int, str] = Growing()
        self._counted: deque[Counted] = deque(maxlen=COUNTS)
        self.points: deque[Point] = deque(maxlen=POINTS)
        self._last: Look | None = None
        """The look that the newest point was made of."""

    async def run(self, failed: Callable[[str, BaseException], None]) -> None:
        """Until it is cancelled. `failed` is told, as elsewhere, of what nobody expected."""
        while True:
            try:
                self.look(await asyncio.to_thread(self._log.status))
            except LogError:  # the gap says it here, and the watchdog, which looks as often, everywhere else
                self.gap()
            except Exception as error:
                failed("console", error)
            await asyncio.sleep(EVERY)

    def look(self, statuses: list[PartitionStatus]) -> None:
        """What `run` does with each answer."""
        at = self._monotonic()
        tails = {status.partition: status.tail for status in statuses}
        positions = {status.partition: status.positions.get(RULES, 0) for status in statuses}
        look = Look(at, tails, positions, buckets(self._commits, RULES))
        self._looks.append(look)
        for view in self._views():
            self._growing.seen(view.partition, view.counts)
        if not self._counted or at - self._counted[-1].at >= COUNTED:
            self._counted.append(Counted(at, self._growing.total()))
        if self._last is None or at - self._last.at >= POINT:
            self._point(look)

    def gap(self) -> None:
        """The log did not answer."""
        self._looks.clear()
        if self._last is not None:
            self._last = None
            self.points.append(Point(self._now() // 1_000_000, None, None, None, None, None))

    def _point(self, look: Look) -> None:
        before, self._last = self._last, look
        at = self._now() // 1_000_000
        if before is None:
            self.points.append(Point(at, look.lag, None, None, None, None))
            return
        took = look.at - before.at
        arrived = sum(tail - before.tails.get(partition, tail) for partition, tail in look.tails.items())
        evaluated = sum(done - before.positions.get(partition, done) for partition, done in look.positions.items())
        half, most = (quantile(share, before.commits, look.commits) for share in (0.5, 0.99))
        self.points.append(Point(at, look.lag, arrived / took, evaluated / took, half, most))

    # ------------------------------------------------------------ what pages ask

    def rate(self, partition: int) -> float | None:
        """Events that are evaluated of it a second; None while that is not known."""
        first, last = self._ends()
        if first is None or last is None or partition not in first.positions or partition not in last.positions:
            return None
        return (last.positions[partition] - first.positions[partition]) / (last.at - first.at)

    def rates(self) -> tuple[float, float] | None:
        """(events that arrive, events that are evaluated) a second, in all partitions."""
        first, last = self._ends()
        if first is None or last is None:
            return None
        took = last.at - first.at
        arrived = sum(tail - first.tails.get(partition, tail) for partition, tail in last.tails.items())
        evaluated = sum(done - first.positions.get(partition, done) for partition, done in last.positions.items())
        return arrived / took, evaluated / took

    def trend(self, partition: int | None, lag: int) -> int | None:
        """How much less or more it lags behind than it did: of one partition or of all."""
        first, _ = self._ends()
        if first is None or (partition is not None and partition not in first.tails):
            return None
        return lag - (first.lag if partition is None else first.lag_of(partition))

    def drained_in(self, lag: int) -> float | None:
        """Seconds until nothing waits, at the pace of the moment; None where it does not get less."""
        first, last = self._ends()
        if not lag or first is None or last is None:
            return None
        pace = (first.lag - last.lag) / (last.at - first.at)
        return lag / pace if pace > 0 else None

    def commit_seconds(self, share: float) -> float | None:
        """Within which that share of this process's commits of the last minute was done."""
        if len(self._looks) < 2:
            return None
        return quantile(share, self._looks[0].commits, self._looks[-1].commits)

    def counts(self) -> dict[str, float]:
        """What this process counted since it began, in all partitions it had; named as `streams.processor.Step`."""
        for view in self._views():
            self._growing.seen(view.partition, view.counts)
        return self._growing.total()

    def counted_before(self) -> tuple[Mapping[str, float], float] | None:
        """(the oldest count that is kept, how many seconds ago), at most five minutes; None while there is none."""
        if not self._counted:
            return None
        oldest = self._counted[0]
        ago = self._monotonic() - oldest.at
        return (oldest.counts, ago) if ago >= EVERY else None

    def _ends(self) -> tuple[Look | None, Look | None]:
        """The looks that trends and rates are made of; None where there are not two."""
        if len(self._looks) < 2:
            return None, None
        last = self._looks[-1]
        for look in reversed(self._looks):
            if last.at - look.at >= TREND:
                return look, last
        return self._looks[0], last
