"""Whether the log delivers, and how people say after a restore that it may: by the number of commands that wait.

Any process may do it: one control event for each partition, and then it waits until delivery of each has come to it.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from adapters.arming import look
from adapters.errors import DeliveryError
from adapters.ledger import OPEN
from orchestrator.asks import PATIENCE, POLL, NotYetError
from orchestrator.partitions import shown, unread
from projections.query import MOST, CommandFilter, Queries
from streams.event import ARMING, control
from streams.log import Append, Log


class ArmedError(DeliveryError):
    """Nothing is to be confirmed."""


class MiscountedError(DeliveryError):
    """Another number of commands would be sent than was said."""


class Standing(NamedTuple):
    disarmed: int
    """Since when, microseconds since 1970; 0 if all partitions deliver."""
    commands: int
    """That would be sent: those that wait, and those that were being sent."""
    settled: bool
    """Whether those are all that are decided; otherwise some are not counted yet."""


class Armings:
    """On any event loop. `since`: when this process was told that the log is disarmed; 0: it was not."""

    def __init__(self, log: Log, queries: Queries, since: int = 0, patience: float = PATIENCE) -> None:
        self._log = log
        self._queries = queries
        self._since = since
        self._patience = patience

    async def standing(self) -> Standing:
        """Raises what reading raises."""
        return await asyncio.to_thread(self._standing)

    async def arm(self, count: int) -> None:
        """Returns when all partitions deliver. Raises ArmedError, MiscountedError, NotYetError, and what reading and
        appending raise."""
        now = await self.standing()
        if not now.disarmed:
            raise ArmedError("delivery is armed already: nothing is to be confirmed")
        if not now.settled:
            raise NotYetError(
                f"{now.commands} commands wait by now and more are being read: look again in a moment, with "
                "`orchestrator delivery status`"
            )
        if count != now.commands:
            raise MiscountedError(
                f"{now.commands} commands would be sent, not {count}: look at them with `orchestrator commands list`, "
                f"and say {now.commands} if they are right"
            )
        event = control(ARMING, {"count": count, "until": now.disarmed}, time=self._log.now(), key="")
        every = range(self._log.info.partitions)
        await asyncio.to_thread(self._log.append, [Append(partition, [event]) for partition in every])
        try:
            async with asyncio.timeout(self._patience):
                wait, longest = POLL
                while await asyncio.to_thread(self._disarmed):
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, longest)
        except TimeoutError:
            raise NotYetError(
                f"it is confirmed and will be done, but delivery did not come to it within {self._patience:g} s: see "
                "`orchestrator partitions list`"
            ) from None

    def _disarmed(self) -> int:
        found = [each for each in look(self._log, self._since) if each is not None]
        return max((each.at for each in found if not each.armed), default=0)

    def _standing(self) -> Standing:
        every = range(self._log.info.partitions)
        settled = all(unread(self._log, each) == 0 and shown(self._log, each, self._queries) for each in every)
        return Standing(self._disarmed(), sum(map(self._count, OPEN)), settled)

    def _count(self, state: str) -> int:
        count, cursor = 0, None
        while True:
            page = self._queries.commands(CommandFilter(state=state), MOST, cursor)
            count, cursor = count + len(page.commands), page.next
            if cursor is None:
                return count
