"""Ticks: where something is due that the clock has passed, the agent says in the log what time it is.

A partition ticks no further than the moment up to which every partition that may forward to it, whoever holds it, has
handled what was published: all of them. So traffic does not hold ticks back, a backlog does. One thread, the agent's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from streams.event import TICK, control
from streams.log import Append, Log, LogError, LogFull
from streams.owned import Owned

TICK_PAUSE: Final = 1.0
"""Seconds without ticks after the log could not be asked for what is due, or took none."""


class Ticks:
    """`delay` and `interval` in microseconds and `limit` as in `AgentOptions`; `failed` is told where and what."""

    def __init__(
        self,
        log: Log,
        *,
        delay: int,
        limit: int,
        interval: int,
        monotonic: Callable[[], float],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._log = log
        self._delay = delay
        self._limit = limit
        self._interval = interval
        self._monotonic = monotonic
        self._failed = failed
        self._again_at = 0.0

    def append(self, partitions: Sequence[Owned], heard: Mapping[int, int]) -> bool:
        """Appends a tick wherever something is due; whether it did. `heard`: up to which moment others say that they
        have handled a partition. Of all partitions, whether held or not."""
        if self._monotonic() < self._again_at:
            return False
        moments = dict(heard)
        for owned in partitions:
            if owned.caught_up_at is not None:
                moments[owned.partition] = max(owned.caught_up_at, moments.get(owned.partition, 0))
        if len(moments) < len(partitions):
            return False
        safe = min(moments.values())
        at = 0
        try:
            ticks = []
            for owned in partitions:
                at = owned.partition
                if (append := self._tick(owned, safe)) is not None:
                    ticks.append(append)
            if not ticks:
                return False
            answers = self._log.append(ticks)
        except LogFull:
            return False
        except LogError as error:
            self._again_at = self._monotonic() + TICK_PAUSE
            self._failed(f"partition {at}", error)
            return False
        for append, answer in zip(ticks, answers, strict=True):
            partitions[append.partition].ticked_at = answer.offset
        return True

    def _tick(self, owned: Owned, safe: int) -> Append | None:
        worker = owned.ticking
        if worker is None or worker.processor is None or worker.position < owned.ticked_at:
            return None
        time = safe - worker.processor.lateness - self._delay
        last = worker.state.tick
        nearest = worker.due.nearest()
        if nearest < last:
            time = max(time, last)  # the last tick had more to fire than its bound
        elif nearest >= time or time - last < self._interval:
            return None
        event = control(TICK, {"limit": self._limit}, time=time)
        return Append(owned.partition, [event], follows=True)
