"""One of several workers, as its parent sees it: a process that is started again when it ends.

The pause before that doubles, and begins anew once a process was ready for a while. A process is ready when it has
written its addresses to stdout as a JSON object; what it writes there later asks for another log level. From then on it
is asked how it is every few seconds; one that hangs is killed. Its stdin stays open for as long as the parent lives,
and says what is wrong with all of them, and how much is logged.
"""

from __future__ import annotations

import asyncio
import signal
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import orjson
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout

from orchestrator.parent import STOP_WITHIN
from orchestrator.settings import LogLevel

MOST_UNREAD: Final = 1 << 16
"""Bytes that a child may leave unread before it is told nothing more."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Command:
    arguments: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds."""

    first_pause: float = 0.5
    longest_pause: float = 30.0
    settled: float = 60.0
    """After so long as a ready process, the pauses begin anew."""
    start: float = 300.0
    """For becoming ready."""
    stop: float = STOP_WITHIN + 5.0
    look: float = 5.0
    """Between two questions how it is, and for the answer."""
    silence: float = 60.0
    """Without a good answer; then it is killed."""
    scrape: float = 1.0
    """For its metrics."""
    recent: float = 60.0
    """For which it is said that it was started again."""
    attempts: int = 3
    """To become ready, in a row. Beyond them there may be no sense in another (`Supervisor`)."""


class Child:
    """On one event loop. `changed` is called when it became ready or its process ended. `hopeless` says, when a process
    ended, that another makes no sense; `shared`, that others fail as it does, so that a restart mends nothing."""

    def __init__(
        self,
        number: int,
        command: Command,
        patience: Patience,
        *,
        changed: Callable[[], None],
        hopeless: Callable[[Child], bool],
        shared: Callable[[Child], bool],
        asked: Callable[[LogLevel, float | None], None],
    ) -> None:
        self.number = number
        self.life = 0
        """How many of its processes have ended."""
        self.addresses: dict[str, str] = {}
        """Of the process that runs; empty until it is ready."""
        self.attempts = 0
        """How many processes in a row ended before they were ready."""
        self.status: int | None = None
        """With which the last one ended; negative: by that signal; None where it could not be started."""
        self.failing = False
        """Whether it says that something in it hangs."""
        self._command = command
        self._patience = patience
        self._changed = changed
        self._hopeless = hopeless
        self._shared = shared
        self._asked = asked
        self._stop = asyncio.Event()
        self._process: Process | None = None
        self._ready_at = 0.0
        self._ended_at = 0.0
        self._how = ""
        """The last one ended."""
        self._killed = ""
        """Why this one is, if it is."""
        self._says: list[str] = []
        self._told: list[str] = []
        self._told_level: object = None

    @property
    def ready(self) -> bool:
        return bool(self.addresses)

    # ------------------------------------------------------------ its life

    async def live(self, session: ClientSession) -> None:
        """Until it is stopped, or hopeless. `session` asks it."""
        pause = self._patience.first_pause
        while not self._stop.is_set():
            if await self._process_lives(session) >= self._patience.settled:
                pause = self._patience.first_pause
            if self._stop.is_set():
                return
            over = self._hopeless(self)
            _log.error("worker ended", worker=self.number, how=self._how, again_in=None if over else pause)
            self._changed()
            if over:
                return
            try:
                await asyncio.wait_for(self._stop.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, self._patience.longest_pause)

    def ask_to_stop(self) -> None:
        self._stop.set()
        if (process := self._running) is not None:
            _send(process.terminate)

    def kill(self) -> None:
        if (process := self._running) is not None:
            _send(process.kill)

    @property
    def _running(self) -> Process | None:
        return self._process if self._process is not None and self._process.returncode is None else None

    async def _process_lives(self, session: ClientSession) -> float:
        """One process, from start to end: how many seconds it was ready."""
        self._killed = ""
        try:
            # A process group of its own: Ctrl-C on a terminal is for the parent, which tells its children.
            process = await asyncio.create_subprocess_exec(
                *self._command.arguments, stdin=PIPE, stdout=PIPE, env=self._command.environment, process_group=0
            )
        except OSError as error:
            self.status = None
            self._over(f"could not be started: {error}")
            return 0.0
        self._process, self._told, self._told_level = process, [], None
        _log.info("worker started", worker=self.number, pid=process.pid)
        if self._stop.is_set():
            _send(process.terminate)
        reading = asyncio.create_task(self._read(process))
        try:
            await self._attend(process, session)
        finally:
            self.kill()
            self.status = await process.wait()
            await reading
        ready_for = time.monotonic() - self._ready_at if self.ready else 0.0
        self._over(self._killed or _ending(self.status))
        return ready_for

    def _over(self, how: str) -> None:
        self.attempts = 0 if self.ready else self.attempts + 1
        self._how, self._ended_at = how, time.monotonic()
        self.life += 1
        self.addresses, self.failing, self._says = {}, False, []

    async def _read(self, process: Process) -> None:
        """Its stdout, to the end: the ready line, and then what it asks for."""
        assert process.stdout is not None
        while not self.ready:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than any ready line
                continue
            if not line:
                return
            try:
                self.addresses = dict(orjson.loads(line))
            except (ValueError, TypeError):
                _log.warning("worker wrote", worker=self.number, text=line[:200].decode(errors="replace"))
        self._ready_at = time.monotonic()
        _log.info("worker ready", worker=self.number, pid=process.pid)
        self._changed()
        while True:
            try:
                line = await process.stdout.readline()
                if not line:
                    return
                said = orjson.loads(line)
                self._asked(said["log_level"], said["until"])
            except (ValueError, TypeError, KeyError):
                continue  # something that a library printed

    async def _attend(self, process: Process, session: ClientSession) -> None:
        """Until it has ended, by itself or because it hung."""
        ended = asyncio.create_task(process.wait())
        good = time.monotonic()
        while not (await asyncio.wait({ended}, timeout=self._patience.look))[0]:
            if self._stop.is_set() or (self.ready and await self._is_well(session)):
                good = time.monotonic()
                continue
            still = time.monotonic() - good
            if still >= (self._patience.silence if self.ready else self._patience.start):
                self._killed = f"was killed: {self._complaint()} for {still:.0f} s"
                _send(process.kill)
        await ended

    def _complaint(self) -> str:
        if not self.ready:
            return "not ready"
        return "; ".join(self._says) if self.failing else "gave no answer"

    async def _is_well(self, session: ClientSession) -> bool:
        try:
            async with session.get(self._own("health"), timeout=ClientTimeout(self._patience.look)) as answer:
                found = orjson.loads(await answer.read())
        except (ClientError, TimeoutError, ValueError):
            self.failing, self._says = False, []
            return False
        self.failing, self._says = found["status"] == "failing", found["problems"]
        return not self.failing or self._shared(self)

    def _own(self, page: str) -> str:
        """Others answer at the shared address too; at that of the metrics, only this process."""
        return self.addresses["metrics"].removesuffix("metrics") + page

    # ------------------------------------------------------------ what its parent asks and says

    async def metrics(self, session: ClientSession) -> str | None:
        """In the Prometheus format; None if it does not answer in time."""
        if not self.ready:
            return None
        try:
            async with session.get(self._own("metrics"), timeout=ClientTimeout(self._patience.scrape)) as answer:
                return await answer.text() if answer.ok else None
        except (ClientError, TimeoutError):
            return None

    def says(self) -> list[str]:
        """What was wrong in it when it was asked last, but for what it was told."""
        return [f"worker {self.number}: {text}" for text in self._says if text not in self._told]

    def problems(self) -> list[str]:
        """What is wrong with it."""
        if not self.ready and self.life:
            vain = f" ({self.attempts} times in vain)" if self.attempts else ""
            return [f"worker {self.number} {self._how}, and is being started again{vain}"]
        if self.life and time.monotonic() - self._ended_at < self._patience.recent:
            return [f"worker {self.number} {self._how}, and was started again"]
        return []

    def tell(self, problems: list[str]) -> None:
        """If it does not know yet."""
        if problems != self._told and self._write(problems):
            self._told = problems

    def tell_level(self, level: LogLevel, until: float | None) -> None:
        """The same of the log level."""
        said = {"log_level": level, "until": until}
        if said != self._told_level and self._write(said):
            self._told_level = said

    def _write(self, said: object) -> bool:
        process = self._running
        if process is None or process.stdin is None or process.stdin.is_closing():
            return False
        if process.stdin.transport.get_write_buffer_size() > MOST_UNREAD:
            return False
        process.stdin.write(orjson.dumps(said) + b"\n")
        return True


def _send(signal: Callable[[], None]) -> None:
    """To a process that may have ended a moment ago: then that is known soon, by waiting for it."""
    with suppress(ProcessLookupError):
        signal()


def _ending(status: int) -> str:
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
