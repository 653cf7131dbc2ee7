"""What long answers wait for: new events in the log, and query tables that moved.

The log is their buffer: a stream keeps a place, reads from there when it has written what it had, and costs nothing
while its reader is slow. One thread waits for all streams; what several of them read is read once. How many there may
be is bounded. Used on one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final, ParamSpec, TypeVar

from orchestrator.pages import Page
from streams.log import Log

PAGE: Final = 200
"""Events read at once."""
KEPT: Final = 64
"""Pages kept for other streams."""
KEPT_BYTES: Final = 32 << 20
"""Of their data."""
WAIT: Final = 1.0
"""Seconds that the thread waits for the log at a time."""
LOOK: Final = 0.1
"""Seconds between two looks at the query tables, while somebody watches them."""
EACH: Final = 0.0002
"""Seconds between two times that streams are told of new events, for each stream that there is: waking all costs as
much as a few hundred requests, and what came meanwhile comes as one page."""
EASY: Final = 200
"""Watchers that are woken that often; more of them are woken more rarely."""


T = TypeVar("T")
P = ParamSpec("P")


class TooManyStreams(Exception):
    pass


class Live:
    """`shown`: up to which offset query tables show a partition; called in a thread. `failed` hears of errors of the
    log, which is asked again."""

    def __init__(
        self, log: Log, shown: Callable[[int], int], most: int, failed: Callable[[str, BaseException], None]
    ) -> None:
        self._log = log
        self._shown = shown
        self._most = most
        self._failed = failed
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="live")
        self._news = asyncio.Condition()
        self._tails: dict[int, int] = {}
        self._moved: dict[int, tuple[int, int]] = {}
        """Partition → (number of the look that found it elsewhere, offset), of those that somebody watches."""
        self.looks = 0
        """At the query tables, that found one of them elsewhere."""
        self._watched: dict[int, int] = {}
        """Partition → how many watch it."""
        self._pages: dict[tuple[int, int], Page] = {}
        self._reading: dict[tuple[int, int], asyncio.Task[Page]] = {}
        self._streams = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.stopping = False

    @property
    def streams(self) -> int:
        return self._streams

    @contextmanager
    def stream(self) -> Iterator[None]:
        """While the block runs, one more. Raises TooManyStreams."""
        if self._streams >= self._most or self.stopping:
            raise TooManyStreams(f"{self._streams:,} streams are open, the most there may be: try again later")
        self._streams += 1
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._look())]
        try:
            yield
        finally:
            self._streams -= 1

    @contextmanager
    def watching(self, partitions: Collection[int]) -> Iterator[None]:
        for partition in partitions:
            self._watched[partition] = self._watched.get(partition, 0) + 1
        try:
            yield
        finally:
            for partition in partitions:
                self._watched[partition] -= 1
                if not self._watched[partition]:
                    del self._watched[partition]
                    self._moved.pop(partition, None)

    async def stop(self) -> None:
        """Every stream ends, and is waited for by who runs it."""
        self.stopping = True
        async with self._news:
            self._news.notify_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(cancel_futures=True)

    # ------------------------------------------------------------ events

    async def tails(self) -> dict[int, int]:
        partitions = range(self._log.info.partitions)
        return await self._in_thread(lambda: {partition: self._log.tail(partition) for partition in partitions})

    async def read(self, partition: int, after: int) -> Page:
        """The next page. Raises LogError."""
        place = (partition, after)
        if (found := self._pages.get(place)) is not None:
            return found
        reading = self._reading.get(place)
        if reading is None:
            reading = self._reading[place] = asyncio.create_task(self._read(partition, after))
            reading.add_done_callback(lambda _: self._reading.pop(place))
        return await asyncio.shield(reading)  # a stream that ends must not end it for the others

    async def news(self, places: Mapping[int, int], timeout: float) -> bool:
        """Waits for an event beyond one of these places. False if time is over, or everything stops."""

        def there() -> bool:
            return self.stopping or any(self._tails.get(partition, 0) > at for partition, at in places.items())

        return await self._wait(there, timeout)

    # ------------------------------------------------------------ query tables

    async def moved(self, places: Mapping[int, int], since: int, timeout: float) -> bool:
        """Waits until a look after `since` (of `looks`, when the places were read) finds the query tables of one of
        these partitions, which are being watched, elsewhere than there. Tables may go back too, after a fork, so an
        older look must not count: it is behind every reader of tables that move."""

        def there() -> bool:
            if self.stopping:
                return True
            found = ((self._moved.get(partition), at) for partition, at in places.items())
            return any(moved is not None and moved[0] > since and moved[1] != at for moved, at in found)

        return await self._wait(there, timeout)

    # ------------------------------------------------------------ within

    async def _read(self, partition: int, after: int) -> Page:
        found = Page(await self._in_thread(self._log.read, partition, after, PAGE))
        if found.events:
            kept = sum(page.bytes for page in self._pages.values())
            while self._pages and (len(self._pages) >= KEPT or kept + found.bytes > KEPT_BYTES):
                kept -= self._pages.pop(next(iter(self._pages))).bytes
            self._pages[partition, after] = found
        return found

    async def _wait(self, there: Callable[[], bool], timeout: float) -> bool:
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(there), timeout)
            except TimeoutError:
                return False
        return not self.stopping

    async def _follow(self) -> None:
        while not self.stopping:
            if not self._streams:
                await asyncio.sleep(WAIT)
                continue
            try:
                if not self._tails:
                    self._tails = await self.tails()
                moved = await self._in_thread(self._log.follow, self._tails, WAIT)
                for partition in moved:
                    self._tails[partition] = await self._in_thread(self._log.tail, partition)
            except Exception as error:
                await self._pause("live events", error)
                continue
            if moved:
                await self._tell()
                await asyncio.sleep(EACH * self._streams)

    async def _look(self) -> None:
        while not self.stopping:
            await asyncio.sleep(LOOK * max(1.0, sum(self._watched.values()) / EASY))
            watched = list(self._watched)
            if not watched:
                continue
            try:
                found = await self._in_thread(self._positions, watched)
            except Exception as error:
                await self._pause("live tables", error)
                continue
            elsewhere = {
                partition: (self.looks + 1, at)
                for partition, at in found.items()
                if partition in self._watched and self._moved.get(partition, (0, None))[1] != at
            }
            if elsewhere:
                self.looks += 1
                self._moved.update(elsewhere)
                await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _pause(self, where: str, error: Exception) -> None:
        self._failed(where, error)
        await asyncio.sleep(WAIT)

    def _positions(self, partitions: Collection[int]) -> dict[int, int]:
        return {partition: self._shown(partition) for partition in partitions}

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **named))
