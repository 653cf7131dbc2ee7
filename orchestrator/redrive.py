"""Parked commands are sent again because people ask for it, by a decision in the log.

Any process may do it, whoever owns the partitions: it looks the commands up in what delivery stores, appends one
control event to each partition that decided some of them, and waits until delivery has come to it. Evaluation makes an
output of the event (`streams.outputs.Asked`), and delivery acts on that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence
from typing import Final

from adapters.errors import DeliveryError, UnknownCommandError
from adapters.ledger import Entry, State, find
from adapters.requests import check_redrive
from streams.event import REDRIVEN, Event, control
from streams.log import Append, Log

PATIENCE: Final = 10.0
"""Seconds until whoever asked is told that it takes longer."""
POLL: Final = (0.005, 0.2)
"""Seconds between two looks at the ledger: the first, doubled up to the last."""


class NotYetError(DeliveryError):
    """It is in the log and will happen, but has not yet."""


class Redrive:
    """On any event loop. `targets`: those that commands may be sent to."""

    def __init__(self, log: Log, targets: Container[str], patience: float = PATIENCE) -> None:
        self._log = log
        self._targets = targets
        self._patience = patience

    async def __call__(self, ids: Sequence[str]) -> None:
        """Returns when all of them were made pending. All are checked before anything is asked; what changes between
        the check and the doing is left as it is. Raises UnknownCommandError, WrongStateError, NotYetError, and what
        reading and appending raise: whether something was asked is not known then, and asking again does no harm."""
        places = await asyncio.to_thread(self._ask, list(dict.fromkeys(ids)))
        waiting = {partition: dict(entries) for partition, entries in places.items()}
        try:
            async with asyncio.timeout(self._patience):
                pause, longest = POLL
                while waiting := await asyncio.to_thread(self._waiting, waiting):
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, longest)
        except TimeoutError:
            where = ", ".join(map(str, sorted(waiting)))
            raise NotYetError(
                f"it is asked for and will be done, but delivery of partitions {where} did not come to it within "
                f"{self._patience:g} s: see `orchestrator partitions list`, and do not ask again before that moves"
            ) from None

    def _ask(self, ids: Sequence[str]) -> dict[int, dict[str, Entry]]:
        """Partition → what was stored of its commands before."""
        places: dict[int, dict[str, Entry]] = {}
        missing = set(ids)
        for partition in range(self._log.info.partitions):
            if missing and (entries := find(self._log, partition, sorted(missing))):
                places[partition] = entries
                missing -= entries.keys()
        if missing:
            raise UnknownCommandError(min(missing))
        for entries in places.values():
            for entry in entries.values():
                check_redrive(entry, self._targets)
        now = self._log.now()
        self._log.append([Append(partition, [_event(ids, here, now)]) for partition, here in places.items()])
        return places

    def _waiting(self, places: Mapping[int, Mapping[str, Entry]]) -> dict[int, dict[str, Entry]]:
        """Those of them that are parked as they were."""
        found: dict[int, dict[str, Entry]] = {}
        for partition, before in places.items():
            stored = find(self._log, partition, before)
            same = {id: entry for id, entry in before.items() if id not in stored or _untouched(entry, stored[id])}
            if same:
                found[partition] = same
        return found


def _event(ids: Sequence[str], here: Mapping[str, Entry], now: int) -> Event:
    """Asks for those that are here, in the order given."""
    keys = {entry.command.key for entry in here.values()}
    key = keys.pop() if len(keys) == 1 else ""
    return control(REDRIVEN, {"ids": [id for id in ids if id in here]}, time=now, key=key)


def _untouched(before: Entry, now: Entry) -> bool:
    """It may have been sent and parked once more meanwhile."""
    return now.state is State.PARKED and now.parked == before.parked
