"""What people ask for commands, by a decision in the log: to send parked ones again, to cancel those that
wait, or to let them expire.

Any process may do it, whoever owns the partitions: it looks the commands up in what delivery stores, appends one
control event to each partition that decided some of them, and waits until delivery has come to it. Evaluation makes an
output of the event (`streams.outputs.Asked`), and delivery acts on that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.errors import DeliveryError, UnknownCommandError
from adapters.ledger import Entry, State, find
from adapters.requests import check_cancel, check_expire, check_redrive
from streams.event import CANCELLING, EXPIRING, REDRIVEN, Event, control
from streams.log import Append, Log
from streams.worker import RULES

PATIENCE: Final = 10.0
"""Seconds until whoever asked is told that it takes longer."""
POLL: Final = (0.005, 0.2)
"""Seconds between two looks at the ledger: the first, doubled up to the last."""


class NotYetError(DeliveryError):
    """It is in the log and will happen, but has not yet."""


class _There(NamedTuple):
    """What was asked in one partition."""

    offset: int
    entries: dict[str, Entry]
    """What was stored of the commands before."""


class Asks:
    """On any event loop. `targets`: those that commands may be sent to.

    They check all commands before anything is asked, and leave what changed between the check and the doing as it is.
    They raise UnknownCommandError, WrongStateError, NotYetError, and what reading and appending raise: whether
    something was asked is not known then, and asking again does no harm."""

    def __init__(self, log: Log, targets: Container[str], patience: float = PATIENCE) -> None:
        self._log = log
        self._targets = targets
        self._patience = patience

    async def redrive(self, ids: Sequence[str]) -> None:
        """Returns when all of them were made pending."""
        await self._ask(ids, REDRIVEN, {}, lambda entry: check_redrive(entry, self._targets))

    async def cancel(self, ids: Sequence[str], reason: str) -> int:
        """How many are cancelled. The others were given to their target or ended meanwhile."""
        there = await self._ask(ids, CANCELLING, {"reason": reason}, check_cancel)
        return await asyncio.to_thread(self._in_state, there, State.CANCELLED)

    async def expire(self, ids: Sequence[str], reason: str) -> int:
        """As `cancel`; but what their rules want in their stead is put out."""
        there = await self._ask(ids, EXPIRING, {"reason": reason}, check_expire)
        return await asyncio.to_thread(self._in_state, there, State.EXPIRED)

    async def _ask(
        self, ids: Sequence[str], type: str, more: dict[str, Any], check: Callable[[Entry], None]
    ) -> dict[int, _There]:
        there = await asyncio.to_thread(self._append, list(dict.fromkeys(ids)), type, more, check)
        waiting = there
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
        return there

    def _append(
        self, ids: Sequence[str], type: str, more: dict[str, Any], check: Callable[[Entry], None]
    ) -> dict[int, _There]:
        """By partition."""
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
                check(entry)
        now = self._log.now()
        events = [_event(type, ids, here, more, now) for here in places.values()]
        appended = self._log.append([Append(at, [event]) for at, event in zip(places, events, strict=True)])
        return {
            partition: _There(each.offset, entries)
            for (partition, entries), each in zip(places.items(), appended, strict=True)
        }

    def _waiting(self, places: Mapping[int, _There]) -> dict[int, _There]:
        """Where it is not evaluated yet, or some of the commands are as they were."""
        found: dict[int, _There] = {}
        for partition, there in places.items():
            stored = find(self._log, partition, there.entries)
            same = {
                id: entry for id, entry in there.entries.items() if id not in stored or _untouched(entry, stored[id])
            }
            if same or self._log.position(partition, RULES) < there.offset:
                found[partition] = _There(there.offset, same)
        return found

    def _in_state(self, places: Mapping[int, _There], state: State) -> int:
        stored = [find(self._log, partition, there.entries) for partition, there in places.items()]
        return sum(entry.state is state for entries in stored for entry in entries.values())


def _event(type: str, ids: Sequence[str], here: Mapping[str, Entry], more: dict[str, Any], now: int) -> Event:
    """Asks for those that are here, in the order given."""
    keys = {entry.command.key for entry in here.values()}
    key = keys.pop() if len(keys) == 1 else ""
    return control(type, {"ids": [id for id in ids if id in here], **more}, time=now, key=key)


def _untouched(before: Entry, now: Entry) -> bool:
    """It may have been sent meanwhile, and come to the same state once more."""
    return (now.state, now.attempts, now.parked) == (before.state, before.attempts, before.parked)
