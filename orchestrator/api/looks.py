"""Long looks at the log: few at a time, in threads of their own, so that they starve neither agent nor other requests.

A trace looks at up to two million events, a filtered list at fifty thousand. Those beyond the few wait for their turn,
and beyond a bound of that, too, a request is told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from aiohttp import web

from orchestrator.api.problem import Problem

AT_ONCE: Final = 2
TRACES: Final = 8
"""Of traces, those that run and those that wait: each takes seconds at most."""
LISTS: Final = 64
"""The same of lists of events."""

T = TypeVar("T")
P = ParamSpec("P")


class Looks:
    """Of one kind, on one event loop. `most` counts those that wait, too."""

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._most = most
        self._count = 0
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=what)

    async def run(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Raises what it raises, and Problem 503 for one too many."""
        if self._count >= self._most:
            raise Problem(
                503,
                f"{self._count} {self._what} are under way, the most there may be: try again later",
                code="too-many",
                headers={"Retry-After": "5"},
            )
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **named))
        finally:
            self._count -= 1

    async def stop(self, app: web.Application) -> None:
        """Once no request waits any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


TRACING: Final[web.AppKey[Looks]] = web.AppKey("tracing", Looks)
LISTING: Final[web.AppKey[Looks]] = web.AppKey("listing", Looks)


def add(app: web.Application) -> None:
    for key, what, most in ((TRACING, "traces", TRACES), (LISTING, "lists of events", LISTS)):
        app[key] = Looks(what, most)
        app.on_cleanup.append(app[key].stop)
