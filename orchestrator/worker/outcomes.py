"""What became of commands, on its way to the server: many in one request, again until they are stored or refused.

While a request is under way others gather, and go together in the next. A request whose answer was lost is sent again:
said twice, it counts once. What cannot be said for a while after its lease has run out is given up; somebody else has
the command by then. Memory is bounded by who holds commands. In one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from adapters.work import Outcome, Verdict
from orchestrator.worker import wire
from orchestrator.worker.backoff import Backoff
from orchestrator.worker.door import MOST, AwayError, Door, DoorError, RefusedError
from orchestrator.worker.holding import Held

LARGEST: Final = 1 << 20
"""Bytes of one request with several outcomes."""
GRACE: Final = 60.0
"""Seconds after the end of a lease in which its outcome is still tried to be said: a server that was away may take it
when it comes back."""
SHORT: Final = 200
"""Characters of a reason, where the server refused a longer outcome."""
STORED: Final = "stored"
REFUSED: Final = "refused"
GIVEN_UP: Final = "given_up"


@dataclass(eq=False, slots=True)
class _Said:
    held: Held
    outcome: Outcome
    text: bytes
    answer: asyncio.Future[bool | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    other: bool = False
    """Whether it is not what was said first, which the server cannot take."""


class Outcomes:
    """`failed` is told that the server could not be told; `counted` what came of each outcome."""

    def __init__(
        self,
        door: Door,
        chance: Callable[[], float],
        failed: Callable[[DoorError], None],
        counted: Callable[[str], None],
    ) -> None:
        self._door = door
        self._failed = failed
        self._counted = counted
        self._backoff = Backoff(chance)
        self._line: deque[_Said] = deque()
        self._alone = 0
        """So many of the line go each by itself, to find out which of them the server cannot take."""
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._line)

    def say(self, held: Held, outcome: Outcome) -> asyncio.Future[bool | None]:
        """As `adapters.work.WorkSource.acknowledge`."""
        said = _Said(held, outcome, wire.said(held.work.id, held.token, outcome))
        self._line.append(said)
        self._empty.clear()
        self._news.set()
        return said.answer

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._line:
                pause = await self._step()
                if pause is not None:
                    await asyncio.sleep(self._backoff.pause(pause))
                    self._give_up_late()
            self._empty.set()

    async def stored(self, within: float) -> bool:
        """Whether all that was said is stored or refused, within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    # -- inside

    async def _step(self) -> float | None:
        """One request. How long the server asked to wait until the next; None if that may come at once."""
        batch = self._batch()
        try:
            answers = await self._door.settle([said.text for said in batch])
        except AwayError as error:
            self._failed(error)
            return error.retry_after or 0.0
        except RefusedError as error:
            self._refused(batch, error)
            return None
        self._backoff.over()
        self._alone = max(0, self._alone - len(batch))
        again: list[_Said] = []
        for said, answer in zip(batch, answers, strict=True):
            self._line.popleft()
            if answer.state is not None:
                self._end(said, True, STORED)
            elif answer.error == "unavailable":
                again.append(said)
            else:
                self._end(said, False, REFUSED)
        self._line.extendleft(reversed(again))
        return 0.0 if again else None

    def _batch(self) -> list[_Said]:
        """From the front; it stays in line until it is answered."""
        found: list[_Said] = []
        size = 0
        for said in self._line:
            size += len(said.text)
            if found and (size > LARGEST or len(found) == MOST or self._alone):
                break
            found.append(said)
        return found

    def _refused(self, batch: list[_Said], error: RefusedError) -> None:
        """The server will not take the request: if there is one outcome in it, something else is said instead."""
        if len(batch) > 1:
            self._alone = len(batch)
            return
        self._failed(error)
        (said,) = batch
        if said.other:
            self._line.popleft()
            self._alone = max(0, self._alone - 1)
            self._end(said, False, REFUSED)
            return
        said.text, said.other = wire.said(said.held.work.id, said.held.token, _shorter(said.outcome, error)), True

    def _give_up_late(self) -> None:
        now = asyncio.get_running_loop().time()
        line, self._line = self._line, deque()
        for said in line:
            if said.held.until + GRACE < now:
                self._end(said, None, GIVEN_UP)
            else:
                self._line.append(said)

    def _end(self, said: _Said, answer: bool | None, what: str) -> None:
        self._counted(what)
        if not said.answer.done():
            said.answer.set_result(answer)


def _shorter(outcome: Outcome, error: RefusedError) -> Outcome:
    """The same without what may be too much. What was done stays done; only what needs its progress begins anew."""
    if outcome.verdict is Verdict.WAITING:
        return Outcome(Verdict.RETRY, f"its progress could not be stored: {error}")
    return replace(outcome, reason=outcome.reason[:SHORT], result={"unreadable": str(error)}, progress=None)
