"""What a worker does for one target: a pool of `adapters/workers.py`, begun again when the server is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from adapters.adapter import Adapter
from adapters.target import Target
from adapters.work import Outcome, Verdict, Work
from adapters.workers import SLACK, Workers
from orchestrator.worker.backoff import Backoff
from orchestrator.worker.door import AwayError, DoorError
from orchestrator.worker.source import HttpSource


class Pool:
    """`failed` is told where and what. In one event loop."""

    def __init__(
        self,
        target: Target,
        adapter: Adapter,
        source: HttpSource,
        *,
        now: Callable[[], int],
        chance: Callable[[], float],
        failed: Callable[[str, Exception], None],
        attempted: Callable[[str, str, float], None],
    ) -> None:
        self.target = target
        self.adapter = adapter
        self.trouble = "it was not asked for work yet"
        """Why no work can be had now; empty if it can."""
        self._where = f"target {target.name}"
        self._source = source
        self._backoff = Backoff(chance)
        self._failed = failed
        self._attempted = attempted
        self._counts: Counter[str] = Counter()
        self._workers = Workers(
            target, adapter, self, now, self._holds, self._observe, lambda error: failed(self._where, error)
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._workers.run()
            except DoorError as error:
                self.trouble = str(error)
                self._failed(f"server of {self._where}", error)
                asked = error.retry_after if isinstance(error, AwayError) else None
                await asyncio.sleep(self._backoff.pause(asked))

    async def stop(self, within: float) -> None:
        """What waits is given back, what is being sent may end within so many seconds. `run` was cancelled before."""
        await self._workers.stop(None, within)

    def shown(self) -> dict[str, Any]:
        """For people."""
        done, all = self._counts["done"], self._counts.total()
        return {
            "name": self.target.name,
            "kind": self.target.kind,
            "held": self.held,
            "attempts": all,
            "done": done,
            "failure_rate": round((all - done) / all, 4) if all else 0.0,
        }

    @property
    def held(self) -> int:
        return self._source.holding.count(self.target.name)

    # -- as a WorkSource of its workers

    async def lease(self, target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        """The first time, and after trouble, it is asked without waiting, so that soon is known whether it answers."""
        works = await self._source.lease(target, limit, ttl, 0.0 if self.trouble else wait)
        self.trouble = ""
        self._backoff.over()
        return works

    def acknowledge(self, work: Work, outcome: Outcome) -> asyncio.Future[bool | None]:
        return self._source.acknowledge(work, outcome)

    # -- inside

    def _holds(self, work: Work) -> bool:
        return self._source.holding.holds(work, (work.timeout or self.target.timeout) + SLACK)

    def _observe(self, verdict: Verdict, seconds: float) -> None:
        self._counts[verdict.value] += 1
        self._attempted(self.target.name, verdict.value, seconds)
