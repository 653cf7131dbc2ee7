"""A server in one process: the engine's threads, delivery and the HTTP API on the event loop, and an orderly end.

`Server.serve` starts everything, says where it listens, waits for SIGTERM or SIGINT, and stops in order: no new
requests; delivery finishes what is being sent; the agent finishes its batch and releases; the query tables catch up.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from adapters.engine import Engine as Delivery
from adapters.ledger import read
from adapters.target import Target
from orchestrator.api.app import make_app
from orchestrator.api.context import Context
from orchestrator.appends import Appends
from orchestrator.health import Health
from orchestrator.imports import Imports
from orchestrator.metrics import Metrics
from orchestrator.settings import Settings
from orchestrator.wiring import Engine
from projections.table import CommandRow
from rules.ruleset import RuleSet
from streams.intake import Intake
from streams.log import Lease

SHUTDOWN = 10.0
"""Seconds that requests, and commands that are being sent, have to end."""


class Server:
    """Made and served inside one event loop. Raises what `Engine` raises; nothing is started then."""

    def __init__(self, settings: Settings, ruleset: RuleSet, targets: Mapping[str, Target]) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self.metrics = Metrics()
        self.health = Health(time.monotonic, self.metrics.failed)
        self.engine = Engine(
            settings,
            ruleset,
            command_row,
            owned=self._owned,
            lost=self._lost,
            committed=lambda partition: self.delivery.notify(partition),
            failed=self.health.noted,
            wrap=self.metrics.timed,
        )
        self.delivery = Delivery(
            self.engine.log,
            targets,
            now=self.engine.now,
            chance=random.random,
            failed=self.health.failed,
            observed=self.metrics.attempted,
        )
        self.health.add_check(self.engine.problems)
        self.health.add_check(self.delivery.problems)
        self._appends = Appends(self.engine.log, settings.queue)
        self._imports = Imports(
            self.engine.log,
            self._appends,
            now=self.engine.now,
            monotonic=time.monotonic,
            failed=self.health.failed,
        )
        self.metrics.watch(
            self.engine.log, self.engine.views, lambda: self._appends.waiting, lambda: self.delivery.counts
        )
        self._later: set[asyncio.Task[None]] = set()

    async def serve(self, ready: Callable[[dict[str, str]], None]) -> None:
        """Until it is told to stop; then everything is closed. `ready` is given the addresses. Raises OSError if a
        port cannot be had."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.set)
        runners = [
            web.AppRunner(make_app(self._context()), access_log=None, shutdown_timeout=SHUTDOWN, auto_decompress=False),
            web.AppRunner(self.metrics.app(), access_log=None, shutdown_timeout=1.0),
        ]
        host = self._settings.host
        try:
            await self.delivery.open()
            http = await _listen(runners[0], host, self._settings.port)
            metrics = await _listen(runners[1], host, self._settings.metrics_port)
            self.engine.start()
            ready({"http": http, "metrics": f"{metrics}/metrics"})
            await stop.wait()
        finally:
            for runner in runners:
                await runner.cleanup()
            await self._imports.close()
            await self._appends.close()
            await self.delivery.close(SHUTDOWN)
            await asyncio.to_thread(self.engine.stop_agent)
            await asyncio.to_thread(self.engine.close)

    def _context(self) -> Context:
        engine = self.engine
        return Context(
            log=engine.log,
            appends=self._appends,
            imports=self._imports,
            queries=engine.queries,
            intake=Intake(max_bytes=self._settings.event_bytes),
            body_bytes=self._settings.body_bytes,
            now=engine.now,
            views=engine.views,
            redrive=self._redrive,
            problems=self.health.problems,
            failed=self.health.failed,
        )

    async def _redrive(self, ids: Sequence[str]) -> None:
        await self.delivery.redrive(ids)

    def _owned(self, lease: Lease) -> None:
        self.delivery.start(lease)

    def _lost(self, partition: int) -> None:
        """In the agent's thread. Somebody else may own it already: every commit of ours is fenced."""
        self._loop.call_soon_threadsafe(self._spawn, self.delivery.stop(partition))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.health.failed("delivery", error)


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    """The address. Raises OSError."""
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    found, port = runner.addresses[0][:2]
    return f"http://{f'[{found}]' if ':' in found else found}:{port}"


def command_row(name: str, value: bytes) -> CommandRow | None:
    """What query tables show of a row of delivery's."""
    entry = read(name, value)
    if entry is None:
        return None
    command = entry.command
    return CommandRow(
        id=command.id,
        state=entry.state.value,
        to=command.to,
        rule=command.rule,
        key=command.key,
        at=command.at,
        number=entry.number,
        summary=orjson.dumps(entry.summary()).decode(),
    )
