"""A server in one process: the engine's threads, delivery and the HTTP API on the event loop, and an orderly end.

`Server.serve` starts what its roles ask for, says where it listens, waits for SIGTERM or SIGINT, and stops in order: no
new requests; delivery finishes what is being sent and gives its partitions back, while the agent finishes its batch and
gives back its own; the query tables catch up. A second signal ends the process at once, as a crash would: nothing that
was answered for is lost by that.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.engine import Engine as Delivery
from adapters.engine import EngineOptions as DeliveryOptions
from adapters.ledger import read
from adapters.target import Target
from adapters.turn import Bounds as DeliveryBounds
from adapters.work import Work
from orchestrator import attempts
from orchestrator.api.app import add, make_app
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.routes import health
from orchestrator.appends import Appends
from orchestrator.armings import Armings
from orchestrator.asks import Asks
from orchestrator.console import app as console
from orchestrator.console.recent import Recent
from orchestrator.console.site import Console
from orchestrator.door.opened import Opened
from orchestrator.escapes import reported
from orchestrator.health import Health
from orchestrator.imports import Imports
from orchestrator.listening import listen
from orchestrator.live import Live
from orchestrator.log_level import LogLevels
from orchestrator.metrics import Metrics, Watched
from orchestrator.settings import Settings
from orchestrator.stopping import told_to_stop
from orchestrator.target_asks import TargetAsks
from orchestrator.telling import told
from orchestrator.threads import Part
from orchestrator.traces.open import open_traces
from orchestrator.watchdog import Watchdog
from orchestrator.wiring import STOP_TIMEOUT, Engine, member
from projections.table import RULES, CommandRow
from rules.ruleset import RuleSet
from streams.intake import Intake
from streams.keeper import Keeper
from streams.log import DELIVERY, Log, LogError

SHUTDOWN: Final = 10.0
"""Seconds that requests, and commands that are being sent, have to end."""
KEEP_ALIVE: Final = 75.0
"""Seconds after which a connection without a request is closed."""


class Server:
    """Made and served inside one event loop. Raises what `Engine` raises; nothing is started then."""

    def __init__(
        self, settings: Settings, ruleset: RuleSet, targets: Mapping[str, Target], log_levels: LogLevels | None = None
    ) -> None:
        self._settings = settings
        self._ruleset = ruleset
        self._targets = targets
        self._log_levels = log_levels or LogLevels(settings.log_level)
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        self._ended = False
        self._traces = open_traces(settings.traces, member())
        self.metrics = Metrics()
        self.health = Health(time.monotonic, self.metrics.failed)
        self.engine = Engine(
            settings,
            ruleset,
            command_row,
            committed=self._committed,
            failed=self.health.noted,
            wrap=self._watched,
        )
        self.delivery = Delivery(
            self.engine.log,
            self._seen(targets),
            now=self.engine.now,
            chance=random.random,
            failed=self.health.failed,
            observed=self.metrics.attempted,
            fenced=lambda lease: self.keeper.lost(lease),
            options=DeliveryOptions(
                batch=settings.command_batch,
                bounds=DeliveryBounds(kept=int(settings.commands_kept * 1e6)),
                disarmed=settings.disarmed_since,
            ),
        )
        self._opened = Opened(
            self.engine.log,
            self.delivery,
            targets,
            self.engine.member,
            kept=settings.framework_cache,
            siblings_host=None if settings.embedded else settings.siblings_host,
            delivers=self._delivers,
            body_bytes=settings.body_bytes,
            now=self.engine.now,
            observed=self.metrics.attempted,
            lent=self._lent,
        )
        self.keeper = Keeper(
            self.engine.log,
            self._opened.member,
            DELIVERY,
            lease=settings.lease,
            monotonic=time.monotonic,
            start=self.delivery.start,
            stop=self._stop_delivery,
            news=self.delivery.notify,
            told=lambda partition: partition in self.engine.agent.partitions,
            failed=lambda error: self.engine.report("delivery", error),
        )
        self._keeper = Part("delivery", self.keeper.run, failed=self.engine.report)
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
        self.watchdog = Watchdog(
            self.engine.log,
            self.engine.views,
            self.engine.shown,
            monotonic=time.monotonic,
            failed=self.health.failed,
        )
        self.health.add_check(self.watchdog.problems)
        self.metrics.watch(
            Watched(
                self.engine.log,
                self.engine.queries,
                views=self.engine.views,
                waiting=lambda: self._appends.waiting,
                deliveries=lambda: self.delivery.counts,
                disarmed=lambda: self.delivery.disarmed > 0,
                held=self.delivery.held,
                stalled=self.watchdog.stalled,
                outside=self._opened.registry.by_target,
                shown=self.engine.shown,
            )
        )

    def _watched(self, log: Log) -> Log:
        """The log as everybody here sees it."""
        seen = log if self._traces is None else self._traces.log(log)
        return self.metrics.timed(seen, told, lambda error: self.health.repeated("log", error))

    def _seen(self, targets: Mapping[str, Target]) -> dict[str, Target]:
        found = {name: attempts.told(target) for name, target in targets.items()}
        return found if self._traces is None else self._traces.targets(found)

    def _lent(self, work: Work) -> Work:
        return work if self._traces is None else self._traces.lent(work)

    async def serve(self, ready: Callable[[dict[str, str]], None]) -> None:
        """Until it is told to stop; then everything is closed. `ready` is given the addresses. Raises OSError if a
        port cannot be had."""
        with reported(self._loop, self.health.failed, self.health.noted):
            await self._serve(ready)

    async def _serve(self, ready: Callable[[dict[str, str]], None]) -> None:
        api, metrics = self._runners()
        watching: asyncio.Task[None] | None = None
        try:
            stop = told_to_stop(self._loop)
            self._log_levels.heed(self._loop)
            if self._delivers:
                await self.delivery.open()
            await self._opened.listen()
            host, worker = self._settings.host, self._settings.worker is not None
            addresses = {"http": await listen(api, host, self._settings.port, "--port", shared=worker)}
            # A worker's are for its parent only.
            host = "127.0.0.1" if worker else host
            address = await listen(metrics, host, self._settings.metrics_port, "--metrics-port")
            addresses["metrics"] = f"{address}/metrics"
            self.engine.start()
            if self._delivers:
                self._keeper.start()
            watching = asyncio.create_task(self.watchdog.run())
            ready(addresses)
            await stop.wait()
            self._stopping = True
            if self._settings.drain:
                watching.cancel()
                await self._end_work()
                await asyncio.sleep(self._settings.drain)
        finally:
            if watching is not None:
                watching.cancel()
            for runner in (api, metrics):
                await runner.cleanup()
            await self._imports.close()
            await self._appends.close()
            await self._end_work()
            await self._opened.close()
            await asyncio.to_thread(self.engine.close)
            if self._traces is not None:
                await asyncio.to_thread(self._traces.close)

    async def _end_work(self) -> None:
        """Once. What this process holds goes to others, while requests may still be taken (`drain`)."""
        if not self._ended:
            self._ended = True
            await self._opened.door.stop()
            await asyncio.gather(self._end_delivery(), asyncio.to_thread(self.engine.stop_agent))

    def _waiting_for(self) -> list[str]:
        return ["the server stops"] if self._stopping else self.engine.waiting_for()

    async def _end_delivery(self) -> None:
        self._keeper.ask_to_stop()
        await self.delivery.close(SHUTDOWN)
        if self._keeper.started:
            await asyncio.to_thread(self._release)

    def _release(self) -> None:
        """In a thread: what delivery holds may be had by others."""
        try:
            if self._keeper.join(STOP_TIMEOUT):
                self.keeper.leave()
        except LogError as error:
            self.engine.report("delivery", error)

    def _runners(self) -> tuple[web.AppRunner, web.AppRunner]:
        """Of the API and of the metrics."""
        common: dict[str, Any] = {"access_log": None, "keepalive_timeout": KEEP_ALIVE}
        context = self._context()
        around = [self.metrics.requests.middleware()]
        if self._traces is not None:
            around.insert(0, self._traces.middleware())
        metrics = self.metrics.app()
        metrics[CONTEXT] = context
        add(metrics, health.ROUTES)
        everything = "api" in self._settings.roles
        api = make_app(context, everything, self._settings.origins, around)
        if everything:
            console.add(api, self._console(context))
        return (
            web.AppRunner(
                api,
                shutdown_timeout=SHUTDOWN,
                auto_decompress=False,
                **common,
            ),
            web.AppRunner(metrics, shutdown_timeout=1.0, **common),
        )

    def _context(self) -> Context:
        engine = self.engine
        return Context(
            log=engine.log,
            appends=self._appends,
            imports=self._imports,
            live=Live(
                engine.log,
                lambda partition: engine.queries.position(partition, RULES),
                self._settings.streams,
                self.health.failed,
            ),
            queries=engine.queries,
            intake=Intake(max_bytes=self._settings.event_bytes),
            body_bytes=self._settings.body_bytes,
            now=engine.now,
            views=engine.views,
            asks=Asks(engine.log, self._targets),
            targets=self._targets,
            target_asks=TargetAsks(engine.log, self._targets),
            armings=Armings(engine.log, engine.queries, self._settings.disarmed_since),
            door=self._opened.door,
            waiting_for=self._waiting_for,
            problems=self.health.problems,
            disarmed=lambda: self.delivery.disarmed,
            stalled=self.watchdog.hangs,
            log_levels=self._log_levels,
            failed=self.health.failed,
        )

    def _console(self, context: Context) -> Console:
        recent = Recent(context.log, context.views, self.metrics.commits, now=context.now, monotonic=time.monotonic)
        return Console(context, self._ruleset, recent)

    @property
    def _delivers(self) -> bool:
        return "delivery" in self._settings.roles

    def _committed(self, partition: int) -> None:
        """In the agent's thread."""
        if self._delivers:
            self.delivery.notify(partition)

    def _stop_delivery(self, partition: int) -> Future[None]:
        """In the keeper's thread. What is answered ends when nobody delivers from the partition any more."""
        stopped: Future[None] = Future()

        def begin() -> None:
            # The call itself, before what is started after it: awaiting it does the rest.
            task = self._loop.create_task(self.delivery.stop(partition))
            task.add_done_callback(end)

        def end(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.health.failed("delivery", error)
            stopped.set_result(None)

        self._loop.call_soon_threadsafe(begin)
        return stopped


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
        summary=msgspec.json.encode(entry.summary()).decode(),  # integers of any size, which orjson refuses
    )
