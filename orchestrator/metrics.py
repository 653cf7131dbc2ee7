"""Metrics in the Prometheus format, served on METRICS_PORT.

What the hot path counts in local integers is read from the agent's views when somebody asks (`Collected`); what happens
rarely enough is counted where it happens. A partition that is taken over begins to count at zero; what this process had
counted of it stays in its sums.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from orchestrator.growing import Growing
from streams.log import Answer, Append, Appended, Code, Commit, Log, LogError, LogFull, Request
from streams.owned import PartitionView
from streams.state import DAWN
from streams.worker import RULES

_PLAIN: Final = {
    "events": ("orchestrator_events", "Events evaluated."),
    "late": ("orchestrator_late_events", "Events that came before their key's clock."),
    "duplicates": ("orchestrator_duplicate_events", "Events whose source and id were seen before."),
    "parked": ("orchestrator_parked_events", "Events that could not be evaluated."),
    "looped": ("orchestrator_looped_outputs", "Actions and derived events left out, taken for a loop."),
    "ticks": ("orchestrator_ticks", "Ticks evaluated."),
}
_LABELLED: Final = {
    "fired": ("orchestrator_rule_firings", "Firings.", "rule"),
    "not_evaluated": ("orchestrator_rule_not_evaluated", "Times a rule could not be evaluated.", "rule"),
    "matches_capped": ("orchestrator_sequence_matches_dropped", "Partial matches beyond the limit of a key.", "rule"),
    "window_capped": ("orchestrator_window_capped", "Events and values that windows had no room for.", "rule"),
    "schema": ("orchestrator_schema_mismatches", "Events that do not fit their schema.", "type"),
}
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.errors = Counter("orchestrator_errors", "Failures, by part.", ["part"], registry=self.registry)
        self.commits = Histogram(
            "orchestrator_commit_seconds", "Time of commits.", ["processor"], registry=self.registry, buckets=_SECONDS
        )
        self.attempts = Histogram(
            "orchestrator_delivery_attempt_seconds",
            "Time of attempts to deliver, by what became of them.",
            ["target", "verdict"],
            registry=self.registry,
            buckets=_SECONDS,
        )

    def failed(self, part: str) -> None:
        self.errors.labels(part).inc()

    def attempted(self, target: str, verdict: str, seconds: float) -> None:
        self.attempts.labels(target, verdict).observe(seconds)

    def timed(self, log: Log, refused: Callable[[LogFull], None]) -> Log:
        """The same log, whose commits are measured. `refused` is told, in any thread, that it takes no more."""
        return cast(Log, _TimedLog(log, self.commits, refused))

    def watch(
        self,
        log: Log,
        views: Callable[[], list[PartitionView]],
        waiting: Callable[[], int],
        deliveries: Callable[[], Mapping[str, int]],
        stalled: Callable[[int], bool],
    ) -> None:
        """`waiting`: events that wait for their append. `deliveries`: `WHAT|TARGET` → how often. `stalled`: whether
        something of a partition stands still."""
        self.registry.register(Collected(log, views, waiting, deliveries, stalled))

    def app(self) -> web.Application:
        async def metrics(request: web.Request) -> web.Response:
            body = await asyncio.to_thread(generate_latest, self.registry)
            return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

        app = web.Application()
        app.router.add_get("/metrics", metrics)
        return app


class Collected(Collector):
    """Asked in a thread at each scrape, perhaps in several at once; reads the log's status once."""

    def __init__(
        self,
        log: Log,
        views: Callable[[], list[PartitionView]],
        waiting: Callable[[], int],
        deliveries: Callable[[], Mapping[str, int]],
        stalled: Callable[[int], bool],
    ) -> None:
        self._log = log
        self._views = views
        self._waiting = waiting
        self._deliveries = deliveries
        self._stalled = stalled
        self._counts: Growing[int, str] = Growing()
        self._last = (time.monotonic(), 0.0)
        self._rate = 0.0
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing, so that registering it reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            views = self._views()
            for view in views:
                self._counts.seen(view.partition, view.counts)
            totals = self._counts.total()
            rate = self._rated(totals.get("events", 0))
        for name, (metric, help) in _PLAIN.items():
            yield CounterMetricFamily(metric, help, value=totals.get(name, 0))
        for name, (metric, help, label) in _LABELLED.items():
            family = CounterMetricFamily(metric, help, labels=[label])
            for key, count in totals.items():
                kind, _, value = key.partition("|")
                if kind == name:
                    family.add_metric([value], count)
            yield family
        yield GaugeMetricFamily(
            "rule_evaluation_rate", "Events evaluated per second, since the scrape before.", value=rate
        )
        yield GaugeMetricFamily("orchestrator_appends_waiting", "Events that wait for an append.", self._waiting())
        outcomes = CounterMetricFamily("orchestrator_deliveries", "What became of commands.", labels=["what", "target"])
        for key, count in dict(self._deliveries()).items():
            what, _, target = key.partition("|")
            outcomes.add_metric([what, target], count)
        yield outcomes
        yield from self._partitions(views)

    def _rated(self, events: float) -> float:
        now = time.monotonic()
        then, before = self._last
        if now - then >= 0.5:
            self._rate = (events - before) / (now - then)
            self._last = (now, events)
        return self._rate

    def _partitions(self, views: list[PartitionView]) -> Iterator[Metric]:
        lag = GaugeMetricFamily("orchestrator_partition_lag_events", "Events not evaluated yet.", labels=["partition"])
        clock = GaugeMetricFamily(
            "orchestrator_partition_clock_seconds", "Time of the last tick, Unix.", labels=["partition"]
        )
        blocked = GaugeMetricFamily("orchestrator_blocked_keys", "Keys behind a parked event.", labels=["partition"])
        running = GaugeMetricFamily("orchestrator_partition_running", "1 if evaluated here.", labels=["partition"])
        stalled = GaugeMetricFamily(
            "orchestrator_partition_stalled", "1 if something waits and nothing moves.", labels=["partition"]
        )
        up = GaugeMetricFamily("orchestrator_log_up", "1 if the log answers.")
        try:
            for status in self._log.status():
                lag.add_metric([str(status.partition)], max(0, status.tail - status.positions.get(RULES, 0)))
            up.add_metric([], 1)
        except LogError:
            up.add_metric([], 0)
        for view in views:
            label = [str(view.partition)]
            if view.tick > DAWN:
                clock.add_metric(label, view.tick / 1e6)
            running.add_metric(label, view.state == "running")
            if view.state in ("running", "stalled"):  # else it is another's to say
                blocked.add_metric(label, view.blocked)
            stalled.add_metric(label, self._stalled(view.partition))
        yield from (lag, clock, blocked, running, stalled, up)


class _TimedLog:
    """Every call is the log's own, but `commit`, `together` and `append`."""

    def __init__(self, log: Log, commits: Histogram, refused: Callable[[LogFull], None]) -> None:
        self._log = log
        self._commits = commits
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._log, name)
        if callable(found):
            setattr(self, name, found)
        return found

    def commit(self, commit: Commit) -> Code:
        with self._commits.labels(commit.processor).time():
            return self._log.commit(commit)

    def together(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        """Each commit counts with the time of all: its own is not known."""
        began = time.perf_counter()
        answers = self._log.together(requests)
        took = time.perf_counter() - began
        for request in requests:
            if isinstance(request, Commit):
                self._commits.labels(request.processor).observe(took)
        return answers

    def append(self, appends: Sequence[Append]) -> list[Appended]:
        try:
            return self._log.append(appends)
        except LogFull as error:
            self._refused(error)
            raise
