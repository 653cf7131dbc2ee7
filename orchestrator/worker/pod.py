"""A worker in one process: pools for its targets, one way to the server, `/health`, `/ready` and metrics, and an
orderly end.

Told to stop, it takes no more, gives back what waits, finishes what is being sent, and ends when the server has stored
what became of it all; or after STOP seconds, and then what was not stored comes again when its lease runs out.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
from aiohttp import web

from adapters.target import Target
from orchestrator import attempts
from orchestrator.api.problem import answer, printable
from orchestrator.escapes import reported
from orchestrator.health import Health
from orchestrator.listening import listen
from orchestrator.log_level import LogLevels
from orchestrator.metrics import metrics_app
from orchestrator.settings import Settings
from orchestrator.stopping import told_to_stop
from orchestrator.traces.open import open_traces
from orchestrator.worker.door import Door
from orchestrator.worker.metrics import WorkerMetrics
from orchestrator.worker.pool import Pool
from orchestrator.worker.source import HttpSource

STOP: Final = 20.0
"""Seconds to finish what is being sent, and then again a quarter of it to say what became of it."""
CLOSING: Final = 5.0
"""Seconds that an adapter may take to close."""


class Pod:
    """Made and served inside one event loop. `now`: the wall clock in microseconds. Raises SettingsError for traces
    without their libraries."""

    def __init__(self, settings: Settings, targets: Mapping[str, Target], now: Callable[[], int]) -> None:
        self._settings = settings
        told = {name: attempts.told(target) for name, target in targets.items()}
        self._now = now
        self.name = settings.worker_name or f"{socket.gethostname()}:{os.getpid()}"
        self._traces = open_traces(settings.traces, self.name)
        self._targets = told if self._traces is None else self._traces.targets(told)
        self._metrics = WorkerMetrics(lambda: {pool.target.name: pool.held for pool in self._pools})
        self._health = Health(time.monotonic, self._metrics.failed)
        self._log_levels = LogLevels(settings.log_level)
        self._pools: list[Pool] = []
        self._stopping = False

    async def serve(self, ready: Callable[[dict[str, str]], None]) -> None:
        """Until it is told to stop. `ready` is given the addresses. Raises what opening a target raises, and OSError if
        a port cannot be had."""
        loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(limit=0)  # bounded by who asks
        with reported(loop, self._health.failed, self._health.noted):
            async with aiohttp.ClientSession(connector=connector, trust_env=False) as http:
                try:
                    await self._serve(http, ready)
                finally:
                    if self._traces is not None:
                        await asyncio.to_thread(self._traces.close)

    async def _serve(self, http: aiohttp.ClientSession, ready: Callable[[dict[str, str]], None]) -> None:
        loop = asyncio.get_running_loop()
        source = HttpSource(
            Door(http, self._settings.url, self.name, self._now),
            lease=self._settings.worker_lease,
            now=self._now,
            chance=random.random,
            failed=lambda error: self._health.repeated("server", error),
            counted=self._metrics.answered,
        )
        stop = told_to_stop(loop)
        self._log_levels.heed(loop)
        runners = self._runners()
        speaking: asyncio.Task[None] | None = None
        working: list[asyncio.Task[None]] = []
        try:
            self._open(source)
            addresses = await self._listen(*runners)
            speaking = asyncio.create_task(source.run())
            working = [asyncio.create_task(pool.run()) for pool in self._pools]
            stopped = asyncio.create_task(stop.wait())
            ready(addresses)
            await asyncio.wait((stopped, speaking, *working), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            self._stopping = True
        finally:
            await self._end(source, speaking, working)
            for runner in runners:
                await runner.cleanup()

    def _open(self, source: HttpSource) -> None:
        for target in self._targets.values():
            assert target.open is not None, "others deliver to it"
            pool = Pool(
                target,
                target.open(),
                source,
                now=self._now,
                chance=random.random,
                failed=self._health.repeated,
                attempted=self._metrics.attempted,
            )
            self._pools.append(pool)

    async def _end(
        self, source: HttpSource, speaking: asyncio.Task[None] | None, working: list[asyncio.Task[None]]
    ) -> None:
        """Raises what ended a part before its time."""
        for task in working:
            task.cancel()
        ended = await asyncio.gather(*working, return_exceptions=True)
        await asyncio.gather(*(pool.stop(STOP) for pool in self._pools))
        if speaking is not None:
            if not speaking.done():
                await source.outcomes.stored(STOP / 4)
                speaking.cancel()
            ended += await asyncio.gather(speaking, return_exceptions=True)
        await asyncio.gather(*map(self._close, self._pools))
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _close(self, pool: Pool) -> None:
        try:
            async with asyncio.timeout(CLOSING):
                await pool.adapter.close()
        except Exception as error:  # whatever somebody else's adapter does
            self._health.failed(f"target {pool.target.name}", error)

    # -- how it is

    async def _listen(self, api: web.AppRunner, metrics: web.AppRunner) -> dict[str, str]:
        host = self._settings.host
        found = {"http": await listen(api, host, self._settings.port, "--port")}
        address = await listen(metrics, host, self._settings.metrics_port, "--metrics-port")
        return found | {"metrics": f"{address}/metrics"}

    def _runners(self) -> tuple[web.AppRunner, web.AppRunner]:
        """Of probes, and of metrics and the same probes."""
        probes, metrics = web.Application(), metrics_app(self._metrics.registry)
        for app in (probes, metrics):
            app.router.add_get("/health", self._answer_health)
            app.router.add_get("/ready", self._answer_ready)
        return (
            web.AppRunner(probes, access_log=None, shutdown_timeout=1.0),
            web.AppRunner(metrics, access_log=None, shutdown_timeout=1.0),
        )

    async def _answer_health(self, request: web.Request) -> web.Response:
        """As a server's (`orchestrator/api/routes/health.py`), and what it does for each target."""
        problems = printable(self._health.problems())
        about: dict[str, Any] = {"worker": self.name, "server": self._settings.url}
        about["targets"] = [pool.shown() for pool in self._pools]
        return answer(200, {"status": "degraded" if problems else "ok", "problems": problems, **about})

    async def _answer_ready(self, request: web.Request) -> web.Response:
        waiting = [f"target {pool.target.name}: {pool.trouble}" for pool in self._pools if pool.trouble]
        if self._stopping:
            waiting = ["the worker stops"]
        return answer(503 if waiting else 200, {"ready": not waiting, "waiting_for": printable(waiting)})
