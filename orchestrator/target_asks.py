"""What people ask for targets, by a decision in the log: to send nothing to one for now, and to go on.

Any process may do it: one control event for each partition, and then it waits until delivery of each has come to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from adapters.gates import PAUSED
from adapters.ledger import DELIVERY
from orchestrator.asks import PATIENCE, POLL, NotYetError
from orchestrator.targets import UnknownTargetError, no_target
from streams.event import PAUSING, RESUMING, control
from streams.log import Append, Log


class TargetAsks:
    """On any event loop. Both return when all partitions do as asked; asked twice, the second time changes nothing.
    They raise UnknownTargetError, NotYetError, and what reading and appending raise."""

    def __init__(self, log: Log, targets: Collection[str], patience: float = PATIENCE) -> None:
        self._log = log
        self._targets = targets
        self._patience = patience

    async def pause(self, target: str, reason: str) -> None:
        """Nothing of it is leased from then on; what is being sent ends as ever."""
        await self._ask(target, PAUSING, {"target": target, "reason": reason}, paused=True)

    async def resume(self, target: str) -> None:
        await self._ask(target, RESUMING, {"target": target}, paused=False)

    async def _ask(self, target: str, type: str, data: dict[str, Any], paused: bool) -> None:
        if target not in self._targets:
            raise UnknownTargetError(no_target(target, self._targets))
        event = control(type, data, time=self._log.now(), key=target)
        every = range(self._log.info.partitions)
        others = await asyncio.to_thread(self._others, every, target, paused)
        await asyncio.to_thread(self._log.append, [Append(partition, [event]) for partition in others])
        try:
            async with asyncio.timeout(self._patience):
                wait, longest = POLL
                while others := await asyncio.to_thread(self._others, others, target, paused):
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, longest)
        except TimeoutError:
            where = ", ".join(map(str, others))
            raise NotYetError(
                f"it is asked for and will be done, but delivery of partitions {where} did not come to it within "
                f"{self._patience:g} s: see `orchestrator partitions list`"
            ) from None

    def _others(self, partitions: Iterable[int], target: str, paused: bool) -> list[int]:
        """Those that do not do yet as asked."""
        name = f"{PAUSED}{target}"
        return [each for each in partitions if (name in self._log.rows(each, DELIVERY, [name])) != paused]
