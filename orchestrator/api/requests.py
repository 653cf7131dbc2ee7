"""Requests as they were answered: counted by method, route and status, with their times.

On the event loop, in integers of its own; scrapes read them from their threads. The route is its template
(`/v1/projections/{name}/{key}`), and what is no method of HTTP or leads nowhere shares one label, so that nobody can
make series from outside.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.hdrs import METH_ALL
from prometheus_client.core import Metric

from orchestrator.logs import debugging
from orchestrator.measures import SECONDS, counter, histogram

NOWHERE: Final = "none"
GONE: Final = 499
"""The client went away before it had its answer; the number is nginx's."""
_log = structlog.get_logger()


class Requests:
    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._times: dict[tuple[str, str], _Times] = {}

    def middleware(self) -> Any:
        @web.middleware
        async def measured(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            began = time.perf_counter()
            status = 500
            try:
                response = await handler(request)
                status = response.status
                return response
            except asyncio.CancelledError:
                status = GONE
                raise
            finally:
                self.answered(method(request), route(request), status, time.perf_counter() - began)

        return measured

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        self._counts[key] = self._counts.get(key, 0) + 1
        times = self._times.get((method, route))
        if times is None:
            times = self._times[method, route] = _Times()
        times.add(seconds)
        if debugging():
            _log.debug("request", method=method, route=route, status=status, seconds=round(seconds, 6))

    def families(self) -> Iterator[Metric]:
        """From any thread."""
        counts = counter("orchestrator_http_requests_total")
        for (method, route, status), count in self._counts.copy().items():
            counts.add_metric([method, route, str(status)], count)
        yield counts
        times = histogram("orchestrator_http_request_seconds")
        for (method, route), found in self._times.copy().items():
            times.add_metric([method, route], found.buckets(), found.sum)
        yield times


class _Times:
    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(SECONDS) + 1)

    def add(self, seconds: float) -> None:
        self.sum += seconds
        self._counts[bisect_left(SECONDS, seconds)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound, how many are not above it)."""
        found: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip([*SECONDS, float("inf")], self._counts, strict=True):
            total += count
            found.append((str(bound).replace("inf", "+Inf"), total))
        return found


def method(request: web.Request) -> str:
    return request.method if request.method in METH_ALL else NOWHERE


def route(request: web.Request) -> str:
    """The template."""
    resource = request.match_info.route.resource
    return NOWHERE if resource is None else resource.canonical
