"""Watches that what has work moves: evaluation of each partition here, and its query tables behind it.

It asks the log itself, from a task of its own, so a thread that hangs inside a step, or a disk that never answers,
cannot hide. What stands still though work waits is a metric, a log line and an error at once, and part of `/health` for
as long as it lasts; whoever watches the process ends it then, and its lease runs out by itself. Who evaluates which
partitions is logged when it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from streams.log import Log, PartitionStatus
from streams.owned import PartitionView
from streams.worker import RULES

EVERY: Final = 2.0
"""Seconds between two looks."""
STALL: Final = 60.0
"""Seconds without progress after which something counts as stalled."""
OWNERSHIP: Final = "ownership"
SILENCE: Final = 10.0
"""Seconds that the log has to answer a look."""


class Stalled(Exception):
    """Position still while work waits."""


@dataclass
class _Mark:
    position: int
    since: float
    told: bool = False


class Watchdog:
    """On one event loop. `shown`: up to which position the query tables show a partition, None where this process does
    not feed them; in a thread."""

    def __init__(
        self,
        log: Log,
        views: Callable[[], list[PartitionView]],
        shown: Callable[[int], int | None],
        *,
        monotonic: Callable[[], float],
        failed: Callable[[str, BaseException], None],
        stall: float = STALL,
    ) -> None:
        self._log = log
        self._views = views
        self._shown = shown
        self._monotonic = monotonic
        self._failed = failed
        self._stall = stall
        self._marks: dict[tuple[str, int], _Mark] = {}
        self._states: dict[int, tuple[str, str]] = {}
        self._stalled: dict[tuple[str, int], str] = {}
        self._silence = ""
        self._logger = structlog.get_logger()

    def problems(self) -> list[str]:
        return self._told(lambda part: True)

    def hangs(self) -> list[str]:
        """Those of the problems that another start of this process may mend."""
        return self._told(lambda part: part != OWNERSHIP)

    def _told(self, which: Callable[[str], bool]) -> list[str]:
        found = [f"{part} of partition {at}: {text}" for (part, at), text in self._stalled.items() if which(part)]
        return [self._silence, *found] if self._silence else found

    def stalled(self, partition: int) -> bool:
        return any(of == partition for _, of in self._stalled)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            look = asyncio.ensure_future(asyncio.to_thread(self._ask))
            began = self._monotonic()
            while not (await asyncio.wait([look], timeout=SILENCE))[0]:
                silent = self._monotonic() - began
                if not self._silence:
                    self._failed("log", Stalled(f"no answer for {silent:.0f} s"))
                self._silence = f"the log gives no answer for {silent:.0f} s"
            self._silence = ""
            try:
                self.look(*look.result())
            except Exception as error:  # what keeps the log from answering is told as everything else that fails
                self._failed("watchdog", error)

    def _ask(self) -> tuple[list[PartitionStatus], dict[int, int | None]]:
        statuses = self._log.status()
        return statuses, {status.partition: self._shown(status.partition) for status in statuses}

    def look(self, statuses: Sequence[PartitionStatus], shown: Mapping[int, int | None]) -> None:
        """What `run` does with each answer."""
        views = {view.partition: view for view in self._views()}
        for status in statuses:
            partition, position = status.partition, status.positions.get(RULES, 0)
            # What failed is known, and tried again: only what keeps silent is the watchdog's.
            state = views[partition].state if partition in views else "waiting"
            ours, nobodys = state in ("running", "stalled"), status.owner is None and state != "failed"
            self._watch("evaluation", partition, position, status.tail if ours else position)
            self._watch(OWNERSHIP, partition, position, status.tail if nobodys and not ours else position)
            seen = shown[partition]
            self._watch("query tables", partition, position if seen is None else seen, position)
        self._tell(statuses, views)

    def _watch(self, part: str, partition: int, position: int, goal: int) -> None:
        where = (part, partition)
        now = self._monotonic()
        mark = self._marks.get(where)
        if mark is None or mark.position != position or position >= goal:
            self._marks[where] = _Mark(position, now)
            if self._stalled.pop(where, ""):
                self._logger.warning("moves again", part=part, partition=partition, position=position)
            return
        still = now - mark.since
        if still < self._stall:
            return
        nobody = "nobody owns it, and it " if part == OWNERSHIP else ""
        text = f"{nobody}stands at {position} for {still:.0f} s though {goal - position:,} wait"
        self._stalled[where] = text
        if not mark.told:
            mark.told = True
            self._failed(f"{part.replace(' ', '-')} of partition {partition}", Stalled(text))

    def _tell(self, statuses: Sequence[PartitionStatus], views: dict[int, PartitionView]) -> None:
        """One line for all partitions that came into the same state since the look before."""
        owners = {status.partition: status.owner or "" for status in statuses}
        changed: dict[tuple[str, str], list[int]] = {}
        for partition, view in views.items():
            now = (str(view.state), owners.get(partition, ""))
            if self._states.get(partition) != now:
                self._states[partition] = now
                changed.setdefault(now, []).append(partition)
        for (state, owner), partitions in changed.items():
            self._logger.info(
                "partitions", state=state, owner=owner, partitions=partitions, reason=views[partitions[0]].reason
            )
