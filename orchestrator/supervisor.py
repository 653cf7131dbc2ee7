"""The parent of several workers: starts them, starts again what ends, and shows them to the outside as one server.

It does none of the work itself. The first worker is started alone, so that what is wrong with settings or the log is
said once; then the others. Each stays ready or is started again (`Child`). On METRICS_PORT it answers `/metrics`,
merged from all, and `/health`. On SIGTERM or SIGINT all are told to stop, and waited for. A second signal ends
everything at once; if the parent is killed, the workers stop in order (`Parent`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, Final

import structlog
from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from orchestrator.api.problem import answer, printable
from orchestrator.child import Child, Command, Patience
from orchestrator.listening import SharedPort, listen
from orchestrator.log_level import LogLevels
from orchestrator.measures import counter, gauge
from orchestrator.merged import Merged
from orchestrator.settings import Settings, environment

FAILED: Final = 1
USAGE: Final = 2
"""Exit status of a process that was called wrongly: called again, it ends the same way."""
KILLED_WITHIN: Final = 5.0
"""Seconds in which the system ends a process that was killed, unless it waits for a device."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = structlog.get_logger()


class WorkersFailed(Exception):
    """There is no sense in starting a worker again. `status` is its exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Supervisor:
    """One command for each worker. Made and run inside one event loop."""

    def __init__(
        self,
        commands: Sequence[Command],
        host: str,
        metrics_port: int,
        patience: Patience,
        log_levels: LogLevels | None = None,
    ) -> None:
        self._host = host
        self._metrics_port = metrics_port
        self._patience = patience
        self._log_levels = log_levels or LogLevels("info")
        self._log_levels.changed = self._changed
        told: dict[str, Any] = {"changed": self._changed, "hopeless": self._hopeless, "shared": self._shared}
        told["asked"] = self._log_levels.choose
        self._children = [Child(number, command, patience, **told) for number, command in enumerate(commands, 1)]
        self._lives: dict[Child, asyncio.Task[None]] = {}
        self._merged = Merged()
        self._scraping: asyncio.Task[list[Metric]] | None = None
        self._scraped = dict.fromkeys(self._children, 0)
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._served = False

    async def run(self, ready: Callable[[dict[str, str]], None]) -> None:
        """Until it is told to stop. `ready` is given the addresses once all workers are ready.

        Raises WorkersFailed, and OSError if the port of the metrics cannot be had."""
        self._heed_signals()
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
        async with ClientSession() as self._session:
            try:
                address = await listen(runner, self._host, self._metrics_port, "--metrics-port")
                if await self._started(self._children[:1]) and await self._started(self._children[1:]):
                    self._served = True
                    ready({**self._children[0].addresses, "metrics": f"{address}/metrics"})
                    self._tell_of_idle(await self._scrape())
                    await self._until(lambda: False)
            finally:
                await self._end()
                await runner.cleanup()

    # ------------------------------------------------------------ start and end

    async def _started(self, children: Sequence[Child]) -> bool:
        for child in children:
            self._lives[child] = asyncio.create_task(child.live(self._session))
            self._lives[child].add_done_callback(lambda _: self._changed())
        return await self._until(lambda: all(child.ready for child in children))

    async def _until(self, enough: Callable[[], bool]) -> bool:
        """False if it was told to stop before. Raises WorkersFailed."""
        while not self._stop.is_set():
            for child, life in self._lives.items():
                if life.done():
                    life.result()
                    raise _failed(child)
            problems = self.problems()
            for child in self._children:
                child.tell(problems)
                child.tell_level(self._log_levels.level, self._log_levels.until)
            if enough():
                return True
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), self._patience.look)
            except TimeoutError:
                pass  # what is recent changes with time
        return False

    async def _end(self) -> None:
        for child in self._lives:
            child.ask_to_stop()
        for child in await self._alive(self._patience.stop):
            _log.error("worker did not stop in time, and is killed", worker=child.number)
            child.kill()
        for child in await self._alive(KILLED_WITHIN):
            _log.error("worker was killed, and does not end", worker=child.number)

    async def _alive(self, within: float) -> list[Child]:
        if lives := [life for life in self._lives.values() if not life.done()]:
            await asyncio.wait(lives, timeout=within)
        return [child for child, life in self._lives.items() if not life.done()]

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            _log.info("stopping", signal=signal.Signals(number).name, hint="again to end at once")
            for each in SIGNALS:
                loop.add_signal_handler(each, end, each)
            self._stop.set()
            self._changed()

        def end(number: int) -> None:
            for child in self._children:
                child.kill()
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

        for each in SIGNALS:
            loop.add_signal_handler(each, stop, each)
        self._log_levels.heed(loop)

    # ------------------------------------------------------------ what a child asks

    def _changed(self) -> None:
        self._news.set()

    def _hopeless(self, child: Child) -> bool:
        """While others work, it is tried for ever."""
        if not child.attempts or (self._served and any(each.ready for each in self._children)):
            return False
        return child.status == USAGE or child.attempts >= self._patience.attempts

    def _shared(self, child: Child) -> bool:
        return all(each.failing for each in self._children if each.ready)

    # ------------------------------------------------------------ what it shows

    def problems(self) -> list[str]:
        """Of the workers as processes."""
        return [text for child in self._children for text in child.problems()]

    def _app(self) -> web.Application:
        async def metrics(request: web.Request) -> web.Response:
            registry = CollectorRegistry()
            registry.register(_Families(await self._scrape()))
            return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

        async def health(request: web.Request) -> web.Response:
            problems = self.problems() + [text for child in self._children for text in child.says()]
            hangs = [child.failing for child in self._children if child.ready]
            if hangs and all(hangs):
                return answer(503, {"status": "failing", "problems": printable(problems)})
            return answer(200, {"status": "degraded" if problems else "ok", "problems": printable(problems)})

        app = web.Application()
        app.router.add_get("/metrics", metrics)
        app.router.add_get("/health", health)
        return app

    async def _scrape(self) -> list[Metric]:
        """One at a time: an older answer must not be counted after a newer one."""
        if self._scraping is None or self._scraping.done():
            self._scraping = asyncio.create_task(self._merge())
        return await asyncio.shield(self._scraping)

    async def _merge(self) -> list[Metric]:
        lives = [child.life for child in self._children]
        texts = await asyncio.gather(*(child.metrics(self._session) for child in self._children))
        answers: dict[int, str] = {}
        for child, life, text in zip(self._children, lives, texts, strict=True):
            if child.life != self._scraped[child]:
                self._merged.ended(child.number)
                self._scraped[child] = child.life
            if child.life == life and text is not None:
                answers[child.number] = text
        restarts = {child.number: child.life for child in self._children}
        return [*self._merged.merge(answers), *own_metrics(restarts, answers.keys())]

    def _tell_of_idle(self, families: Sequence[Metric]) -> None:
        partitions = sum(len(each.samples) for each in families if each.name == "orchestrator_partition_running")
        if 0 < partitions < len(self._children):
            _log.warning(
                "more workers than partitions: some wait in reserve",
                workers=len(self._children),
                partitions=partitions,
            )


def own_metrics(restarts: Mapping[int, int], up: Container[int]) -> list[Metric]:
    """Of the workers as processes, by their number."""
    restarted = counter("orchestrator_worker_restarts_total")
    answers = gauge("orchestrator_worker_up")
    for number, times in restarts.items():
        restarted.add_metric([str(number)], times)
        answers.add_metric([str(number)], number in up)
    return [restarted, answers]


class _Families(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _failed(child: Child) -> WorkersFailed:
    times = "" if child.attempts == 1 else f" {child.attempts} times in a row"
    how = "could not be started" if child.status is None else f"ended{times} before it was ready"
    status = child.status if child.status is not None and child.status > 0 else FAILED
    return WorkersFailed(f"worker {child.number} {how}: see above", status)


async def supervise(settings: Settings, ready: Callable[[dict[str, str]], None], log_levels: LogLevels) -> None:
    """As many servers as `settings` asks for, on one port, until told to stop. Raises what `Supervisor.run` does."""
    port = SharedPort(settings.host, settings.port, "--port")
    try:
        patience = Patience(stop=Patience().stop + settings.drain)
        commands = [_command(settings, each, port.port) for each in range(1, settings.workers + 1)]
        await Supervisor(commands, settings.host, settings.metrics_port, patience, log_levels).run(ready)
    finally:
        port.close()


def _command(settings: Settings, worker: int, port: int) -> Command:
    """All settings go as variables: they may hold passwords, and a command line can be read by everybody."""
    # -P: a folder here may be called `rules`, as a package of ours is.
    arguments = [sys.executable, "-P", "-m", "orchestrator", "server", "--json"]
    own = settings.model_copy(update={"workers": 1, "worker": worker, "port": port, "metrics_port": 0})
    return Command(arguments, {**os.environ, **environment(own)})
