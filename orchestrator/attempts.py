"""Attempts to deliver, as the shell sees each: a log line at the level `debug`, with the ids of what was sent."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import structlog

from adapters.adapter import Adapter
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
        _log.debug(
            "attempt",
            command_id=work.id,
            target=work.target,
            partition=work.partition,
            attempt=work.attempt,
            verdict=outcome.verdict.value,
            reason=outcome.reason[:LONGEST] or None,
            seconds=round(time.perf_counter() - began, 6),
        )
        return outcome

    async def close(self) -> None:
        await self._adapter.close()


def told(target: Target) -> Target:
    """The same target, whose attempts are told."""
    open = target.open
    return target if open is None else replace(target, open=lambda: Told(open()))
