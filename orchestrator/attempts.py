"""Attempts to deliver, as the shell sees each: a log line at the level `debug`, with the ids of what was sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from adapters.adapter import Adapter, BatchAdapter
from adapters.target import Target
from adapters.work import Outcome, Work
from orchestrator.logs import debugging

LONGEST: Final = 500
"""Characters of a reason."""
_log = structlog.get_logger()


class Told:
    """Any adapter, whose attempts are told."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    async def deliver(self, work: Work) -> Outcome:
        if not debugging():
            return await self._adapter.deliver(work)
        began = time.perf_counter()
        outcome = await self._adapter.deliver(work)
        _tell(work, outcome, began)
        return outcome

    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        assert isinstance(self._adapter, BatchAdapter)
        began = time.perf_counter()
        outcomes = await self._adapter.deliver_many(works)
        if debugging():
            for work, outcome in zip(works, outcomes, strict=False):
                _tell(work, outcome, began)
        return outcomes

    async def close(self) -> None:
        await self._adapter.close()


def _tell(work: Work, outcome: Outcome, began: float) -> None:
    _log.debug(
        "attempt",
        command_id=work.id,
        target=work.target,
        partition=work.partition,
        attempt=work.attempt,
        verdict=outcome.verdict.value,
        status=outcome.status or None,
        reason=outcome.reason[:LONGEST] or None,
        seconds=round(time.perf_counter() - began, 6),
    )


def told(target: Target) -> Target:
    """The same target, whose attempts are told."""
    open = target.open
    return target if open is None else replace(target, open=lambda: Told(open()))
