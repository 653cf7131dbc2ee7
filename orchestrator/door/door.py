"""The door as workers see it: any process answers, whoever delivers from the partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from adapters.target import Target
from adapters.work import Outcome, Work
from orchestrator.door import tokens
from orchestrator.door.here import Answer, Here, Said

MOST_WAITING: Final = 1_000
"""Requests for work at once."""


class UnknownTargetError(Exception):
    """There is no such target; the text says what to do."""


class DeliveredHereError(Exception):
    """Servers deliver to the target themselves; the text says what to do."""


class TooManyWaitingError(Exception):
    """As many requests for work wait as there may be."""


class Settlement(NamedTuple):
    """What a worker says of a command, with the token that it was given."""

    id: str
    token: str
    outcome: Outcome


class Door:
    def __init__(self, here: Here, targets: Mapping[str, Target], partitions: int) -> None:
        self._here = here
        self._targets = targets
        self._partitions = partitions

    async def lease(self, target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        """Raises UnknownTargetError, DeliveredHereError and TooManyWaitingError."""
        found = self._targets.get(target)
        if found is None:
            raise UnknownTargetError(f"there is no target `{target[:80]}`: declare it in the targets file and restart")
        if found.open is not None:
            raise DeliveredHereError(
                f"servers deliver to target `{target}` themselves: give it `deliver: workers` and restart"
            )
        if self._here.waiting >= MOST_WAITING:
            raise TooManyWaitingError(
                f"{MOST_WAITING:,} requests for work wait, the most there may be: try again later"
            )
        return await self._here.lease(target, limit, ttl, wait)

    async def settle(self, said: Sequence[Settlement]) -> list[Answer]:
        """In the same order. Said again with the same token, it is answered as before."""
        leases = [tokens.read(each.id, each.token) for each in said]
        known = {
            number: Said(work, said[number].outcome)
            for number, work in enumerate(leases)
            if work is not None and work.partition < self._partitions
        }
        found = dict(zip(known, await self._here.settle(list(known.values())), strict=True))
        return [found.get(number, REFUSED) for number in range(len(said))]

    def give_back(self, works: Sequence[Work]) -> None:
        """What nobody was there to take."""
        self._here.give_back(works)

    async def stop(self) -> None:
        """Nobody waits for work any more."""
        self._here.stop()


REFUSED: Final = Answer(True)
