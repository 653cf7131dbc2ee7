"""An asynchronous other end in a thread of its own, for tests that open event loops themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")
WITHIN = 60.0
"""Seconds to begin or to end."""


@contextmanager
def aside(end: AbstractAsyncContextManager[T]) -> Iterator[T]:
    begun: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        try:
            async with end as value:
                over = asyncio.Event()
                begun.set_result((value, asyncio.get_running_loop(), over))
                await over.wait()
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(error)

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="aside", daemon=True)
    thread.start()
    value, loop, over = begun.result(WITHIN)
    try:
        yield value
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(WITHIN)
        assert not thread.is_alive()
