"""An API over a log in memory, without agent or delivery, for tests of its routes."""

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from adapters.engine import Engine
from adapters.target import Target
from orchestrator.api.app import make_app
from orchestrator.api.context import Context
from orchestrator.appends import Appends
from orchestrator.armings import Armings
from orchestrator.asks import Asks
from orchestrator.door.door import Alone, Door
from orchestrator.door.here import Here
from orchestrator.door.registry import Registry
from orchestrator.imports import Imports
from orchestrator.live import Live
from orchestrator.log_level import LogLevels
from orchestrator.target_asks import TargetAsks
from projections.query import Queries
from projections.stores.sqlite.store import QueryStore
from projections.table import QueryTable
from streams.backends.open import open_log
from streams.intake import Intake
from streams.log import Log


def now() -> int:
    return time.time_ns() // 1000


def no_door(log: Log) -> Door:
    """Without targets."""
    delivery = Engine(log, {}, now=now, chance=lambda: 0.5, failed=lambda where, error: None)
    here = Here(delivery, Registry(now, 60.0), now=now, observed=lambda target, verdict, seconds: None)
    return Door(here, {}, log.info.partitions, Alone())


@asynccontextmanager
async def api(
    log: Log | None = None,
    *,
    failures: list[tuple[str, BaseException]] | None = None,
    most_waiting: int = 1000,
    problems: Sequence[str] = (),
    stalled: Sequence[str] = (),
    targets: Collection[str] = (),
    origins: Sequence[str] = (),
    tables: Sequence[QueryTable] = (),
    log_levels: LogLevels | None = None,
    also: Callable[[web.Application, Context], None] = lambda app, context: None,
) -> AsyncIterator[tuple[TestClient, Log]]:
    """A log that is given is the caller's to close."""
    ours = None if log is not None else open_log("memory://", partitions=3, now=now)
    log = log or ours
    assert log is not None
    failed = failures if failures is not None else []
    appends = Appends(log, most_waiting)
    with tempfile.TemporaryDirectory() as folder:
        store = QueryStore(Path(folder) / "query.db", log.info, tables, notice=print)
        context = Context(
            log=log,
            appends=appends,
            imports=Imports(
                log,
                appends,
                now=now,
                monotonic=time.monotonic,
                failed=lambda where, error: failed.append((where, error)),
            ),
            live=Live(log, lambda partition: 0, 3, lambda where, error: failed.append((where, error))),
            queries=Queries(store),
            intake=Intake(),
            body_bytes=1 << 20,
            now=now,
            views=list,
            waiting_for=list,
            asks=Asks(log, targets, patience=0.2),
            targets={name: Target(name, "log", None) for name in targets},
            target_asks=TargetAsks(log, targets, patience=0.2),
            armings=Armings(log, Queries(store), patience=0.2),
            disarmed=lambda: 0,
            door=no_door(log),
            problems=lambda: [*problems, *stalled],
            stalled=lambda: list(stalled),
            log_levels=log_levels or LogLevels("info"),
            failed=lambda where, error: failed.append((where, error)),
        )
        app = make_app(context, origins=origins)
        also(app, context)
        server = TestServer(app)
        await server.start_server(auto_decompress=False)
        async with TestClient(server) as client:
            yield client, log
        await context.imports.close()
        await appends.close()
        store.close()
        if ours is not None:
            ours.close()
