"""Imports of history: one file at a time, in batches of numbered lines, resumable and doubling nothing.

The routes under `/v1/imports` call it, on the event loop. A file is known by its digest. Its lines are appended as
producer `import:<digest>` with the line number as sequence, so a line that is sent again is not stored again. While an
import is open every partition is `importing`: no wall-clock ticks. Finishing ticks every partition right after `until`,
again and again while something due before it is left, then sets the log live and remembers that this file is done.

What is open is in the log (`import_session.py`): any process goes on with it, also after a restart. Modes and ticks are
appended as producer `import`, numbered by epoch and step, so that a process that was fenced without knowing it neither
ticks nor ends the import of somebody else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson

from orchestrator.appends import Appends
from orchestrator.import_session import LEASE, ImportConflict, Session, Sessions
from orchestrator.quiet import Quiet, behind
from streams import rfc3339
from streams.event import MODE, TICK, Event, control
from streams.keys import partition_of
from streams.log import IMPORT, Append, Log, LogError
from streams.state import NEVER
from streams.worker import RULES

TICK_LIMIT: Final = 5_000
"""Deadlines that one tick fires at most."""
STEPS: Final = 1 << 20
"""Numbers of one epoch: the first is of the mode at the beginning, the last of that at the end, ticks between."""
PULSE: Final = LEASE / 4


class Imports:
    def __init__(
        self,
        log: Log,
        appends: Appends,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._log = log
        self._appends = appends
        self._now = now
        self._monotonic = monotonic
        self._failed = failed
        self._sessions = Sessions(log)
        self._finishing: asyncio.Task[None] | None = None
        self._one = asyncio.Lock()
        """At a time: what changes the session."""

    async def open(self, digest: str) -> dict[str, Any]:
        """Takes the lease and sets the log importing. Raises ImportConflict while another importer holds it."""
        async with self._one:
            if (done := await self._finished(digest)) is not None:
                return done
            secret = secrets.token_hex(8)
            session = await asyncio.to_thread(self._sessions.open, digest, secret)
            try:
                if (done := await self._finished(digest)) is not None:  # by whoever had the lease until now
                    await asyncio.to_thread(self._sessions.release, session)
                    return done
                await self._mode(session, importing=True)
                await asyncio.to_thread(self._sessions.save, session)
            except BaseException:
                await asyncio.to_thread(self._sessions.release, session)
                raise
            return await self.status(digest) | {"lease": secret}

    async def events(self, digest: str, lease: str, line: int, events: Sequence[tuple[int, Event]]) -> dict[str, Any]:
        """Appends (line number, event) in order; `line` is the first line of the batch. Raises ImportConflict, and what
        Log.append raises: repeat the batch then."""
        async with self._one:
            session = await asyncio.to_thread(self._sessions.held, digest, lease)
            if session.state != "open":
                raise ImportConflict("this import is being finished: no more events")
            if line > session.last_line + 1:
                raise ImportConflict(f"line {line} leaves a gap: send line {session.last_line + 1} next")
            session = await asyncio.to_thread(self._sessions.adopt, session)
            answers = await self._appends.sequenced(self._by_partition(digest, events))
            stored, known = sum(each.stored for each in answers), sum(each.known for each in answers)
            session.stored += stored
            # A batch that comes again was counted, if its answer was lost after that, or was not.
            session.known += max(0, sum(number > session.last_line for number, _ in events) - stored)
            session.last_line = max(session.last_line, events[-1][0] if events else line - 1)
            await asyncio.to_thread(self._sessions.save, session)
        return {"stored": stored, "known": known, "next_line": session.last_line + 1}

    async def finish(self, digest: str, lease: str, until: int | None) -> dict[str, Any]:
        """Begins to finish; `status` tells how far it is. Asked again it tries again, if it failed or whoever finished
        it is gone."""
        if (done := await self._finished(digest)) is not None:
            return done
        async with self._one:
            session = await asyncio.to_thread(self._sessions.held, digest, lease)
            if session.state != "finishing" or session.member not in await asyncio.to_thread(self._sessions.attended):
                session = await asyncio.to_thread(self._sessions.adopt, session, anew=True)
                await self._stop()
                session.state, session.until, session.reason = "finishing", until, ""
                await asyncio.to_thread(self._sessions.attend, session)
                await asyncio.to_thread(self._sessions.save, session)
                self._finishing = asyncio.create_task(self._finish(session))
        return await self.status(digest)

    async def status(self, digest: str, lease: str = "") -> dict[str, Any]:
        """Asking with the lease renews it."""
        return await asyncio.to_thread(self._status, digest, lease)

    async def close(self) -> None:
        """What was being finished here is `open` again: another process, or this one after a restart, is asked to."""
        async with self._one:
            await self._stop()

    # ------------------------------------------------------------ looking

    def _status(self, digest: str, lease: str) -> dict[str, Any]:
        # In this order, because it is finished, or has failed, before nobody attends to it any more.
        attended = self._sessions.attended()
        session = self._sessions.read()
        if (body := self._log.document(_document(digest))) is not None:
            return orjson.loads(body)  # type: ignore[no-any-return]
        if session is None or session.digest != digest:
            return {"digest": digest, "state": "unknown"}
        if lease and session.owner.endswith(f":{lease}"):
            self._sessions.renew(session)
        gone = session.state == "finishing" and session.member not in attended
        return {
            "digest": digest,
            "state": "open" if gone else session.state,
            "reason": session.reason or None,
            "next_line": session.last_line + 1,
            "stored": session.stored,
            "known": session.known,
            "ticks": session.ticks,
            "behind": behind(self._log),
        }

    # ------------------------------------------------------------ finishing

    async def _finish(self, session: Session) -> None:
        try:
            quiet = Quiet(self._log, self._monotonic, self._pulse(session))
            if session.until is not None:
                await self._until(session, session.until + 1, quiet)
            else:
                await quiet.reached()
            await self._mode(session, importing=False)
            await asyncio.to_thread(self._sessions.save, session)
            done = {
                "digest": session.digest,
                "state": "finished",
                "lines": session.last_line,
                "stored": session.stored,
                "known": session.known,
                "until": rfc3339.format(session.until) if session.until is not None else None,
            }
            await asyncio.to_thread(self._log.put_document, _document(session.digest), orjson.dumps(done))
            await asyncio.to_thread(self._sessions.release, session)
        except Exception as error:  # shown in `status`, reported, and the importer may ask again
            self._failed("import", error)
            await self._note(session, f"{type(error).__name__}: {error}")
        finally:
            try:
                await asyncio.to_thread(self._sessions.leave, session)
            except LogError as error:
                self._failed("import", error)

    async def _note(self, session: Session, reason: str) -> None:
        """That it failed. If this fails too, or somebody else went on with it, nobody attends to it any more."""
        session.state, session.reason = "failed", reason
        try:
            await asyncio.to_thread(self._sessions.save, session)
        except (LogError, ImportConflict) as error:
            self._failed("import", error)

    def _pulse(self, session: Session) -> Callable[[], Awaitable[None]]:
        beaten = self._monotonic()

        async def pulse() -> None:
            nonlocal beaten
            if self._monotonic() - beaten > PULSE:
                await asyncio.to_thread(self._sessions.attend, session)
                beaten = self._monotonic()

        return pulse

    async def _until(self, session: Session, time: int, quiet: Quiet) -> None:
        """Ticks at `time` until nothing due before it is left, in any partition and of anything that follows from it.
        Ends also when ticks leave everything as it was."""
        partitions = range(self._log.info.partitions)
        before: list[tuple[int, str, bytes] | None] | None = None
        due: list[int] = list(partitions)
        while due:
            session.ticks += 1
            await asyncio.to_thread(self._sessions.save, session)
            await self._tick(session, due, time)
            await quiet.reached()
            heads = await asyncio.to_thread(lambda: [self._nearest(partition) for partition in partitions])
            if heads == before:
                return
            before = heads
            due = [partition for partition, head in zip(partitions, heads, strict=True) if head and head[0] < time]

    async def _tick(self, session: Session, partitions: Sequence[int], time: int) -> None:
        tick = control(TICK, {"limit": TICK_LIMIT}, time=time)
        number = session.epoch * STEPS + session.ticks
        if session.ticks >= STEPS - 1:
            raise TimeoutError(f"deadlines before {rfc3339.format(time)} are left after {session.ticks:,} ticks")
        await self._appends.sequenced([Append(p, [tick], IMPORT, [number], follows=True) for p in partitions])

    async def _mode(self, session: Session, importing: bool) -> None:
        event = control(MODE, {"importing": importing}, time=self._now())
        number = session.epoch * STEPS + (0 if importing else STEPS - 1)
        partitions = range(self._log.info.partitions)
        await self._appends.sequenced([Append(p, [event], IMPORT, [number], follows=True) for p in partitions])

    def _nearest(self, partition: int) -> tuple[int, str, bytes] | None:
        """What is due next there, with the state it is part of, which every firing changes."""
        found = self._log.due(partition, RULES, (-NEVER - 1, ""), 1)
        if not found:
            return None
        due, name = found[0]
        return due, name, self._log.rows(partition, RULES, [name]).get(name, b"")

    async def _stop(self) -> None:
        if self._finishing is not None:
            self._finishing.cancel()
            await asyncio.gather(self._finishing, return_exceptions=True)
            self._finishing = None

    # ------------------------------------------------------------ details

    def _by_partition(self, digest: str, events: Sequence[tuple[int, Event]]) -> list[Append]:
        partitions = self._log.info.partitions
        there: dict[int, tuple[list[Event], list[int]]] = {}
        for line, event in events:
            kept, lines = there.setdefault(partition_of(event.key, partitions), ([], []))
            kept.append(event)
            lines.append(line)
        return [Append(p, kept, f"import:{digest}", lines) for p, (kept, lines) in there.items()]

    async def _finished(self, digest: str) -> dict[str, Any] | None:
        body = await asyncio.to_thread(self._log.document, _document(digest))
        return orjson.loads(body) if body is not None else None


def _document(digest: str) -> str:
    return f"import:{digest}"
