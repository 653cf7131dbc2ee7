"""Imports of history: one file at a time, in batches of numbered lines, resumable and doubling nothing.

The routes under `/v1/imports` call it, on the event loop. A file is known by its digest. Its lines are appended as
producer `import:<digest>` with the line number as sequence, so a line that is sent again is not stored again. While an
import is open every partition is `importing`: no wall-clock ticks. Finishing ticks every partition right after `until`,
again and again while something due before it is left, then sets the log live and remembers that this file is done.

The lease is in memory: after a restart of the server an importer opens anew and sends from line 1. Its importing mode
is in the log and stays until somebody finishes an import.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from orchestrator.appends import Appends
from streams import rfc3339
from streams.event import MODE, TICK, Event, control
from streams.keys import partition_of
from streams.log import Append, Log
from streams.state import NEVER
from streams.worker import RULES

LEASE: Final = 10.0
"""Seconds without a request after which another may take over."""
TICK_LIMIT: Final = 5_000
"""Deadlines that one tick fires at most."""
STALLED: Final = 60.0
"""Seconds without any progress after which finishing gives up, until it is asked for again."""
POLL: Final = 0.02


class ImportConflict(Exception):
    """Another importer is at work, or this one is not where the server is. `retry_after` seconds, if waiting helps."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass
class _Session:
    digest: str
    token: str
    expires: float
    last_line: int = 0
    stored: int = 0
    known: int = 0
    until: int | None = None
    finishing: asyncio.Task[None] | None = None
    failure: str = ""
    ticks: int = 0
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)


class Imports:
    def __init__(
        self,
        log: Log,
        appends: Appends,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        failed: Callable[[str, BaseException], None],
        at_rest: Callable[[], bool],
    ) -> None:
        """`at_rest`: whether no partition is being worked on, so that what was decided has left, too."""
        self._at_rest = at_rest
        self._log = log
        self._appends = appends
        self._now = now
        self._monotonic = monotonic
        self._failed = failed
        self._session: _Session | None = None
        self._opening = asyncio.Lock()

    async def open(self, digest: str) -> dict[str, Any]:
        """Takes the lease and sets the log importing. Raises ImportConflict while another importer holds it."""
        async with self._opening:
            if (done := await self._finished(digest)) is not None:
                return done
            session = self._session
            if session is not None and (left := self._left(session)) > 0:
                same = "this file is" if session.digest == digest else "another file is"
                raise ImportConflict(f"{same} being imported by somebody else: wait until that ends", left)
            session = _Session(digest, secrets.token_hex(8), self._monotonic() + LEASE)
            await self._to_all(control(MODE, {"importing": True}, time=self._now()))
            self._session = session
            return await self.status(digest) | {"lease": session.token}

    async def events(self, digest: str, lease: str, line: int, events: Sequence[tuple[int, Event]]) -> dict[str, Any]:
        """Appends (line number, event) in order; `line` is the first line of the batch. Raises ImportConflict, and what
        Log.append raises: repeat the batch then."""
        session = self._held(digest, lease)
        async with session.sending:
            if session.finishing is not None:
                raise ImportConflict("this import is being finished: no more events")
            if line > session.last_line + 1:
                raise ImportConflict(f"line {line} leaves a gap: send line {session.last_line + 1} next")
            stored = known = 0
            for answer in await self._appends.sequenced(self._by_partition(digest, events)):
                stored += answer.stored
                known += answer.known
            session.stored += stored
            session.known += known
            session.last_line = max(session.last_line, events[-1][0] if events else line - 1)
            session.expires = self._monotonic() + LEASE
        return {"stored": stored, "known": known, "next_line": session.last_line + 1}

    async def finish(self, digest: str, lease: str, until: int | None) -> dict[str, Any]:
        """Begins to finish; `status` tells how far it is. Asked again after a failure, it tries again."""
        if (done := await self._finished(digest)) is not None:
            return done
        session = self._held(digest, lease)
        async with session.sending:
            if session.finishing is None or session.finishing.done():
                session.until, session.failure = until, ""
                session.finishing = asyncio.create_task(self._finish(session))
        return await self.status(digest)

    async def status(self, digest: str, lease: str = "") -> dict[str, Any]:
        """Asking with the lease renews it."""
        if (done := await self._finished(digest)) is not None:
            return done
        session = self._session
        if session is None or session.digest != digest:
            return {"digest": digest, "state": "unknown"}
        if lease == session.token:
            session.expires = self._monotonic() + LEASE
        state = "open"
        if session.finishing is not None:
            state = "failed" if session.failure else "finishing"
        return {
            "digest": digest,
            "state": state,
            "reason": session.failure or None,
            "next_line": session.last_line + 1,
            "stored": session.stored,
            "known": session.known,
            "ticks": session.ticks,
            "behind": await asyncio.to_thread(self._behind),
        }

    async def close(self) -> None:
        """What was being finished is begun anew by whoever imports again."""
        session = self._session
        if session is not None and session.finishing is not None:
            session.finishing.cancel()
            await asyncio.gather(session.finishing, return_exceptions=True)

    # ------------------------------------------------------------ finishing

    async def _finish(self, session: _Session) -> None:
        try:
            if session.until is not None:
                await self._until(session, session.until + 1)
            else:
                await self._caught_up()
            await self._to_all(control(MODE, {"importing": False}, time=self._now()))
            done = {
                "digest": session.digest,
                "state": "finished",
                "lines": session.last_line,
                "stored": session.stored,
                "known": session.known,
                "until": rfc3339.format(session.until) if session.until is not None else None,
            }
            await asyncio.to_thread(self._log.put_document, _document(session.digest), orjson.dumps(done))
            self._session = None
        except Exception as error:  # shown in `status`, reported, and the importer may ask again
            session.failure = f"{type(error).__name__}: {error}"
            self._failed("import", error)

    async def _until(self, session: _Session, time: int) -> None:
        """Ticks at `time` until nothing due before it is left, in any partition and of anything that follows from it.
        Ends also when ticks leave everything as it was."""
        partitions = range(self._log.info.partitions)
        before: list[tuple[int, str, bytes] | None] | None = None
        due: list[int] = list(partitions)
        while due:
            tick = control(TICK, {"limit": TICK_LIMIT}, time=time)
            await self._appends.sequenced([Append(partition, [tick]) for partition in due])
            session.ticks += 1
            await self._caught_up()
            heads = [await asyncio.to_thread(self._nearest, partition) for partition in partitions]
            if heads == before:
                return
            before = heads
            due = [partition for partition, head in zip(partitions, heads, strict=True) if head and head[0] < time]

    async def _caught_up(self) -> None:
        """Until everything in the log is evaluated, forwards included: they leave within the turn that decided them, so
        nothing is on its way if the agent was at rest between two looks that found nothing."""
        quiet = 0
        behind = await asyncio.to_thread(self._behind)
        moved = self._monotonic()
        while quiet < 2:
            await asyncio.sleep(POLL)
            found = await asyncio.to_thread(self._behind)
            quiet = quiet + 1 if found == 0 and self._at_rest() else 0
            if found != behind:
                behind, moved = found, self._monotonic()
            if self._monotonic() - moved > STALLED:
                raise TimeoutError(f"{behind:,} events wait and nothing moves: look at `orchestrator partitions list`")

    def _behind(self) -> int:
        """Events that are not evaluated yet."""
        return sum(max(0, status.tail - status.positions.get(RULES, 0)) for status in self._log.status())

    def _nearest(self, partition: int) -> tuple[int, str, bytes] | None:
        """What is due next there, with the state it is part of, which every firing changes."""
        found = self._log.due(partition, RULES, (-NEVER - 1, ""), 1)
        if not found:
            return None
        due, name = found[0]
        return due, name, self._log.rows(partition, RULES, [name]).get(name, b"")

    # ------------------------------------------------------------ details

    def _by_partition(self, digest: str, events: Sequence[tuple[int, Event]]) -> list[Append]:
        partitions = self._log.info.partitions
        there: dict[int, tuple[list[Event], list[int]]] = {}
        for line, event in events:
            kept, lines = there.setdefault(partition_of(event.key, partitions), ([], []))
            kept.append(event)
            lines.append(line)
        return [Append(p, kept, f"import:{digest}", lines) for p, (kept, lines) in there.items()]

    async def _to_all(self, event: Event) -> None:
        await self._appends.sequenced([Append(p, [event]) for p in range(self._log.info.partitions)])

    async def _finished(self, digest: str) -> dict[str, Any] | None:
        body = await asyncio.to_thread(self._log.document, _document(digest))
        return orjson.loads(body) if body is not None else None

    def _held(self, digest: str, lease: str) -> _Session:
        session = self._session
        if session is None or session.digest != digest or session.token != lease:
            raise ImportConflict("this import is not open, or by somebody else: open it anew", 0.0)
        session.expires = self._monotonic() + LEASE
        return session

    def _left(self, session: _Session) -> float:
        """Seconds until another may take over; while it is finishing nobody may."""
        if session.finishing is not None and not session.finishing.done():
            return LEASE
        return session.expires - self._monotonic()


def _document(digest: str) -> str:
    return f"import:{digest}"
