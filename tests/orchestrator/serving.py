"""An API over a log in memory, without agent or delivery, for tests of its routes."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp.test_utils import TestClient, TestServer

from orchestrator.api.app import make_app
from orchestrator.api.context import Context
from orchestrator.appends import Appends
from streams.backends.open import open_log
from streams.intake import Intake
from streams.log import Log


def now() -> int:
    return time.time_ns() // 1000


@asynccontextmanager
async def api(
    log: Log | None = None, *, failures: list[tuple[str, BaseException]] | None = None, most_waiting: int = 1000
) -> AsyncIterator[tuple[TestClient, Log]]:
    log = log or open_log("memory://", partitions=3, now=now)
    failures = failures if failures is not None else []
    appends = Appends(log, most_waiting)
    context = Context(log, appends, Intake(), 1 << 20, now, lambda place, error: failures.append((place, error)))
    server = TestServer(make_app(context))
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield client, log
    await appends.close()
    log.close()
