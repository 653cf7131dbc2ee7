"""The other processes of the same log that deliver, as this one asks them for work.

Who they are and where they are reached stands in the names with which they beat and hold partitions (`names.py`); it is
looked up in the log, at most a few times a second. One that does not answer has no work to give, and knows of nothing.

Who stops waiting for work does not break off the request: an answer that is on its way then would be lost, and its
commands held until their leases run out. The sibling is told that it is enough, and what it answers is given back.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog
from aiohttp import ClientError, ClientResponseError, ClientSession, ClientTimeout, ConnectionTimeoutError, TCPConnector

from adapters.work import RETURNED, Work
from orchestrator.door import names, wire
from orchestrator.door.here import STORED_WITHIN
from orchestrator.door.registry import Worker
from orchestrator.door.wire import NOT_HERE, Answer, Asked, Place, Said
from streams.log import DELIVERY, Log

FRESH: Final = 0.5
"""Seconds for which it is not looked again who lives."""
CONNECT: Final = 1.0
GRACE: Final = 3.0
"""Seconds beyond those that a sibling itself has, for its answer."""
MOST_CONNECTIONS: Final = 1_000
_log = structlog.get_logger()
T = TypeVar("T")


class Siblings:
    """`own`: the name of this process as a member; empty if it is none."""

    def __init__(self, log: Log, own: str) -> None:
        self._log = log
        self._own = own
        self._session: ClientSession | None = None
        self._known: dict[str, Place] = {}
        self._ends: set[asyncio.Task[None]] = set()
        self._living = _Looked(self._look_who_lives)
        self._owners = _Looked(self._look_who_owns)

    async def living(self) -> Sequence[Place]:
        """Raises LogError."""
        return await self._living.get()

    async def owners(self, again: bool) -> Mapping[int, Place]:
        """Of partitions that siblings deliver from; `again`: what was known is old. Raises LogError."""
        return await self._owners.get(again)

    async def close(self) -> None:
        """What nobody waits for any more is given back when it returns, unless a sibling does not answer."""
        if self._ends:
            _, late = await asyncio.wait(self._ends, timeout=GRACE)
            for end in late:
                end.cancel()
        if self._session is not None:
            await self._session.close()

    async def _look_who_lives(self) -> list[Place]:
        beat = await asyncio.to_thread(self._log.beat, "", DELIVERY, {}, 1.0)
        found = {member: self._known.get(member) or self._made(member) for member in beat.members}
        self._known = {member: place for member, place in found.items() if place is not None}
        return list(self._known.values())

    async def _look_who_owns(self) -> dict[int, Place]:
        found: dict[int, Place] = {}
        for status in await asyncio.to_thread(self._log.status):
            if status.deliverer is not None:
                place = self._known.get(status.deliverer) or self._made(status.deliverer)
                if place is not None:
                    self._known[status.deliverer] = found[status.partition] = place
        return found

    def _made(self, member: str) -> Place | None:
        url = names.read(member).url
        if member == self._own or not url:
            return None
        if self._session is None:
            connector = TCPConnector(limit=MOST_CONNECTIONS)
            self._session = ClientSession(connector=connector, timeout=ClientTimeout(total=None, sock_connect=CONNECT))
        return Sibling(self._session, url, self._ends)


class Sibling:
    """Another process. What it does not answer is none. `ends`: what is still to be told to it."""

    def __init__(self, session: ClientSession, url: str, ends: set[asyncio.Task[None]]) -> None:
        self._session = session
        self._url = url
        self._ends = ends

    async def lease(self, asked: Asked) -> list[Work]:
        asked = asked._replace(ticket=uuid.uuid4().hex)
        task = asyncio.create_task(self._ask("lease", asked, asked.wait + GRACE, wire.works, []))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            end = asyncio.create_task(self._end(asked.ticket, task))
            self._ends.add(end)
            end.add_done_callback(self._ends.discard)
            raise

    async def settle(self, said: list[Said]) -> list[Answer]:
        nothing = [NOT_HERE] * len(said)
        return await self._ask("settle", said, STORED_WITHIN + GRACE, wire.answers, nothing)

    async def workers(self) -> list[Worker]:
        return await self._ask("workers", None, GRACE, wire.workers, [])

    async def _end(self, ticket: str, asked: asyncio.Task[list[Work]]) -> None:
        await self._ask("enough", ticket, GRACE, wire.nothing, None)
        if works := await asked:
            await self.settle([Said(work, RETURNED) for work in works])

    async def _ask(self, what: str, said: Any, within: float, decoder: msgspec.json.Decoder[T], none: T) -> T:
        try:
            async with asyncio.timeout(within):
                async with self._session.post(f"{self._url}/{what}", data=wire.encode(said)) as answer:
                    answer.raise_for_status()
                    return decoder.decode(await answer.read())
        except (ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            _log.info("a sibling does not answer", asked=what, error=_text(error))
            return none


def _text(error: Exception) -> str:
    """Without the address, whose secret those who read this need not know."""
    said = str(error)
    if isinstance(error, ClientResponseError):
        said = f"HTTP {error.status} {error.message}"
    elif isinstance(error, ConnectionTimeoutError):
        said = f"no connection within {CONNECT:g} s"
    return f"{type(error).__name__}: {said}".rstrip(": ")


class _Looked(Generic[T]):
    """What was found is kept for FRESH seconds. Whoever asks while it is looked for waits for the same."""

    def __init__(self, look: Callable[[], Awaitable[T]]) -> None:
        self._look = look
        self._looking: asyncio.Task[T] | None = None
        self._at = 0.0

    async def get(self, again: bool = False) -> T:
        now = asyncio.get_running_loop().time()
        looking = self._looking
        old = looking is None or (looking.done() and (again or now - self._at > FRESH or looking.exception()))
        if old or looking is None:
            looking = self._looking = asyncio.ensure_future(self._look())
            self._at = now
        return await asyncio.shield(looking)
