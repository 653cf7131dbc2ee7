"""Metrics in the Prometheus format, served on METRICS_PORT. Which there are is in `measures.py`.

What the hot path counts in local integers is read from the agent's views when somebody asks (`Collected`); what happens
rarely enough is counted where it happens. A partition that is taken over begins to count at zero; what this process had
counted of it stays in its sums.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, cast

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from orchestrator.api.requests import Requests
from orchestrator.decision_time import DecisionTime
from orchestrator.growing import Growing
from orchestrator.measures import BY_NAME, SECONDS, counter, gauge
from orchestrator.partitions import undelivered
from orchestrator.target_looks import counted
from orchestrator.timed_log import TimedLog
from projections.query import MOST, CommandFilter, Queries
from projections.store import QueryStoreError
from streams.log import Commit, Log, LogError, LogFull
from streams.owned import PartitionView
from streams.state import DAWN
from streams.worker import RULES

_PLAIN: Final = {
    "events": "orchestrator_events_total",
    "late": "orchestrator_late_events_total",
    "duplicates": "orchestrator_duplicate_events_total",
    "parked": "orchestrator_parked_events_total",
    "looped": "orchestrator_looped_outputs_total",
    "ticks": "orchestrator_ticks_total",
}
"""What workers count → how it is shown."""
_LABELLED: Final = {
    "fired": "orchestrator_rule_firings_total",
    "not_evaluated": "orchestrator_rule_not_evaluated_total",
    "matches_capped": "orchestrator_sequence_matches_dropped_total",
    "window_capped": "orchestrator_window_capped_total",
    "schema": "orchestrator_schema_mismatches_total",
}
_PACKAGE: Final = "business-logic-orchestrator"


class Metrics:
    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # series that nobody asks for, one for each that is
        self.registry = CollectorRegistry()
        self.requests = Requests()
        self._errors = self._counter("orchestrator_errors_total")
        self._appended = self._counter("orchestrator_events_appended_total")
        self._appends = self._histogram("orchestrator_append_seconds")
        self._commits = self._histogram("orchestrator_commit_seconds")
        self._attempts = self._histogram("orchestrator_delivery_attempt_seconds")
        self._decisions = DecisionTime(self._histogram("orchestrator_decision_seconds").observe)
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str) -> Counter:
        measure = BY_NAME[name]
        return Counter(measure.family, measure.meaning, measure.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        measure = BY_NAME[name]
        return Histogram(name, measure.meaning, measure.labels, registry=self.registry, buckets=SECONDS)

    @property
    def commits(self) -> Histogram:
        """Seconds, by processor."""
        return self._commits

    def failed(self, part: str) -> None:
        self._errors.labels(part).inc()

    def attempted(self, target: str, verdict: str, seconds: float) -> None:
        self._attempts.labels(target, verdict).observe(seconds)

    def appended(self, events: int, seconds: float) -> None:
        self._appended.inc(events)
        self._appends.observe(seconds)

    def committed(self, processor: str, seconds: float) -> None:
        self._commits.labels(processor).observe(seconds)

    def timed(self, log: Log, committed: Callable[[Commit], None], refused: Callable[[LogFull], None]) -> Log:
        """The same log, whose appends and commits are measured (`TimedLog`)."""
        return cast(Log, TimedLog(log, self, self._decisions, committed, refused))

    def watch(self, watched: Watched) -> None:
        self.registry.register(Collected(watched, self.requests))

    def app(self) -> web.Application:
        return metrics_app(self.registry)


def metrics_app(registry: CollectorRegistry) -> web.Application:
    """Serves what is registered there."""

    async def metrics(request: web.Request) -> web.Response:
        body = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


@dataclass(frozen=True, slots=True)
class Watched:
    """What is asked at each scrape, from a thread."""

    log: Log
    queries: Queries
    views: Callable[[], list[PartitionView]]
    waiting: Callable[[], int]
    """Events that wait for their append."""
    deliveries: Callable[[], Mapping[str, int]]
    """`WHAT|TARGET` → how often."""
    disarmed: Callable[[], bool]
    held: Callable[[], Mapping[str, tuple[bool, bool]]]
    """Target → whether its breaker is open, whether it is paused."""
    outside: Callable[[], Mapping[str, tuple[int, int]]]
    """Target → (workers elsewhere that asked for work of it of late, commands that they hold of it)."""
    stalled: Callable[[int], bool]
    """Whether something of a partition stands still."""
    shown: Callable[[int], int | None]
    """Up to which position the query tables show a partition; None where they are not fed here."""


class Collected(Collector):
    """Asked in a thread at each scrape, perhaps in several at once; reads the log's status once."""

    def __init__(self, watched: Watched, requests: Requests) -> None:
        self._watched = watched
        self._requests = requests
        self._counts: Growing[int, str] = Growing()
        self._last = (time.monotonic(), 0.0)
        self._rate = 0.0
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing, so that registering it reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            views = self._watched.views()
            for view in views:
                self._counts.seen(view.partition, view.counts)
            totals = self._counts.total()
            rate = self._rated(totals.get("events", 0))
        for what, name in _PLAIN.items():
            yield counter(name, totals.get(what, 0))
        for what, name in _LABELLED.items():
            family = counter(name)
            for key, count in totals.items():
                kind, _, value = key.partition("|")
                if kind == what:
                    family.add_metric([value], count)
            yield family
        yield gauge("rule_evaluation_rate", rate)
        yield gauge("orchestrator_appends_waiting", self._watched.waiting())
        yield gauge("orchestrator_delivery_disarmed", self._watched.disarmed())
        held_back = gauge("orchestrator_target_held")
        for target, (opened, paused) in self._watched.held().items():
            held_back.add_metric([target, "breaker"], opened)
            held_back.add_metric([target, "paused"], paused)
        yield held_back
        outcomes = counter("orchestrator_deliveries_total")
        for key, count in dict(self._watched.deliveries()).items():
            what, _, target = key.partition("|")
            outcomes.add_metric([what, target], count)
        yield outcomes
        workers, held = gauge("orchestrator_outside_workers"), gauge("orchestrator_outside_commands")
        for target, (asked, leased) in self._watched.outside().items():
            workers.add_metric([target], asked)
            held.add_metric([target], leased)
        yield from (workers, held)
        build = gauge("orchestrator_build_info")
        build.add_metric([version(_PACKAGE)], 1)
        yield build
        yield from self._requests.families()
        yield from self._partitions(views)
        yield from self._stored()

    def _rated(self, events: float) -> float:
        now = time.monotonic()
        then, before = self._last
        if now - then >= 0.5:
            self._rate = (events - before) / (now - then)
            self._last = (now, events)
        return self._rate

    def _partitions(self, views: list[PartitionView]) -> Iterator[Metric]:
        clock = gauge("orchestrator_partition_clock_seconds")
        blocked = gauge("orchestrator_blocked_keys")
        running = gauge("orchestrator_partition_running")
        stalled = gauge("orchestrator_partition_stalled")
        for view in views:
            label = [str(view.partition)]
            if view.tick > DAWN:
                clock.add_metric(label, view.tick / 1e6)
            running.add_metric(label, view.state == "running")
            if view.state in ("running", "stalled"):  # else it is another's to say
                blocked.add_metric(label, view.blocked)
            stalled.add_metric(label, self._watched.stalled(view.partition))
        yield from (clock, blocked, running, stalled)

    def _stored(self) -> Iterator[Metric]:
        """What the log and the query tables say. Where one does not answer, its numbers are absent: none is known."""
        log = self._watched.log
        lag = gauge("orchestrator_partition_lag_events")
        unshown = gauge("orchestrator_query_lag_events")
        unsent = gauge("orchestrator_undelivered_commands")
        parked, targets = gauge("orchestrator_parked_commands"), gauge("orchestrator_target_commands")
        up = 1
        try:
            for status in log.status():
                label, position = [str(status.partition)], status.positions.get(RULES, 0)
                lag.add_metric(label, max(0, status.tail - position))
                unsent.add_metric(label, undelivered(log, status.partition))
                if (shown := self._watched.shown(status.partition)) is not None:
                    unshown.add_metric(label, max(0, position - shown))
            for target, counts in counted(self._watched.queries, [*self._watched.held()]).items():
                for state, count in counts.items():
                    targets.add_metric([target, state], count)
            parked.add_metric([], len(self._watched.queries.commands(CommandFilter(state="parked"), MOST).commands))
        except QueryStoreError:
            pass  # the feeder meets the same, and says so
        except LogError:
            up = 0
        yield from (lag, unshown, unsent, targets, parked, gauge("orchestrator_log_up", up))
