"""Every metric there is: name, kind, labels, unit, meaning, and what it means of several workers together.

The one place that knows names: who measures asks here for the family, the parent merges by it, and docs/metrics.md is
written from it. Labels are bounded by the rule set, the targets file, the partitions and the routes, never by what
comes from outside: no key, id, type or path of a request is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

Kind = Literal["counter", "gauge", "histogram"]
Merge = Callable[[Iterable[float]], float]
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the buckets of every histogram of times."""


class Measure(NamedTuple):
    name: str
    kind: Kind
    labels: tuple[str, ...]
    unit: str
    meaning: str
    together: Merge = sum
    """Of several workers. Counters and histograms are always summed."""
    of_parent: bool = False
    """Whether only the parent of several workers has it."""

    @property
    def family(self) -> str:
        """As the client library calls it."""
        return self.name.removesuffix("_total") if self.kind == "counter" else self.name


def _counter(name: str, unit: str, meaning: str, *labels: str, of_parent: bool = False) -> Measure:
    return Measure(name, "counter", labels, unit, meaning, of_parent=of_parent)


def _histogram(name: str, meaning: str, *labels: str) -> Measure:
    return Measure(name, "histogram", labels, "seconds", meaning)


def _gauge(name: str, unit: str, meaning: str, *labels: str, together: Merge, of_parent: bool = False) -> Measure:
    return Measure(name, "gauge", labels, unit, meaning, together, of_parent)


# Whoever does not own a partition says 0 of its keys: the owner's word is the largest.
MEASURES: Final = (
    _counter("orchestrator_errors_total", "failures", "Failures, by part.", "part"),
    _counter(
        "orchestrator_events_appended_total",
        "events",
        "Events from outside that this process stored; known ones, derived events and results are not counted.",
    ),
    _histogram(
        "orchestrator_append_seconds", "Time of appends of events from outside. One append serves many requests."
    ),
    _counter("orchestrator_events_total", "events", "Events evaluated."),
    _counter("orchestrator_late_events_total", "events", "Events that came before their key's clock."),
    _counter("orchestrator_duplicate_events_total", "events", "Events whose source and id were seen before."),
    _counter("orchestrator_parked_events_total", "events", "Events that could not be evaluated."),
    _counter("orchestrator_looped_outputs_total", "outputs", "Actions and derived events left out, taken for a loop."),
    _counter("orchestrator_ticks_total", "ticks", "Ticks evaluated."),
    _counter("orchestrator_rule_firings_total", "firings", "Firings.", "rule"),
    _counter("orchestrator_rule_not_evaluated_total", "events", "Times a rule could not be evaluated.", "rule"),
    _counter(
        "orchestrator_sequence_matches_dropped_total", "matches", "Partial matches beyond the limit of a key.", "rule"
    ),
    _counter("orchestrator_window_capped_total", "values", "Events and values that windows had no room for.", "rule"),
    _counter("orchestrator_schema_mismatches_total", "events", "Events that do not fit their schema.", "type"),
    _gauge(
        "rule_evaluation_rate",
        "events per second",
        "Events evaluated per second, since the scrape before.",
        together=sum,
    ),
    _histogram("orchestrator_commit_seconds", "Time of commits.", "processor"),
    _histogram(
        "orchestrator_decision_seconds",
        "From the append of an event to the commit of what was decided of it, both in this process. One event of a "
        "partition at a time is watched.",
    ),
    _gauge("orchestrator_appends_waiting", "events", "Events that wait for an append.", together=sum),
    _gauge("orchestrator_partition_lag_events", "events", "Events not evaluated yet.", "partition", together=max),
    _gauge(
        "orchestrator_partition_clock_seconds", "seconds", "Time of the last tick, Unix.", "partition", together=max
    ),
    _gauge("orchestrator_blocked_keys", "keys", "Keys behind a parked event.", "partition", together=max),
    _gauge("orchestrator_partition_running", "0 or 1", "1 if evaluated here.", "partition", together=max),
    _gauge(
        "orchestrator_partition_stalled", "0 or 1", "1 if something waits and nothing moves.", "partition", together=max
    ),
    _gauge(
        "orchestrator_query_lag_events",
        "events",
        "Events evaluated and not shown in query tables yet, of a partition whose tables are fed here.",
        "partition",
        together=max,
    ),
    _gauge("orchestrator_log_up", "0 or 1", "1 if the log answers.", together=min),
    _counter(
        "orchestrator_deliveries_total",
        "commands",
        "What became of commands: taken_in, done, retried, waiting, parked, returned, lease_expired, expired, "
        "redriven, cancelled, fell_back (its fallback was asked for), forgotten (left the ledger after its time).",
        "what",
        "target",
    ),
    _histogram(
        "orchestrator_delivery_attempt_seconds",
        "Time of attempts to deliver, by what became of them: done, retry, final, returned.",
        "target",
        "verdict",
    ),
    _gauge(
        "orchestrator_outside_workers",
        "workers",
        "Workers elsewhere that asked this process for work within ORCHESTRATOR_FRAMEWORK_CACHE_TTL.",
        "target",
        together=max,
    ),
    _gauge(
        "orchestrator_outside_commands",
        "commands",
        "Commands with workers elsewhere, of the partitions that are delivered from here.",
        "target",
        together=sum,
    ),
    _gauge(
        "orchestrator_target_held",
        "1",
        "1 while the breaker of a target is open (`breaker`), or people paused it (`paused`), as this process has it.",
        "target",
        "why",
        together=max,
    ),
    _gauge(
        "orchestrator_delivery_disarmed",
        "1",
        "1 while nothing is sent until somebody confirms how many commands wait.",
        together=max,
    ),
    _gauge(
        "orchestrator_undelivered_commands",
        "commands",
        "Commands that are neither done nor parked; 1,000 means as many or more.",
        "partition",
        together=max,
    ),
    _gauge(
        "orchestrator_target_commands",
        "commands",
        "Commands of a target that are pending, in_flight, retrying, waiting or parked, as the query tables show them.",
        "target",
        "state",
        together=max,
    ),
    _gauge(
        "orchestrator_parked_commands",
        "commands",
        "Commands that are parked now, as the query tables show them; 1,000 means as many or more.",
        together=max,
    ),
    _counter(
        "orchestrator_http_requests_total",
        "requests",
        "Requests answered, by the route's template; 499: the client went away.",
        "method",
        "route",
        "status",
    ),
    _histogram("orchestrator_http_request_seconds", "Time of requests to the end of their answer.", "method", "route"),
    _gauge("orchestrator_build_info", "1", "Always 1; the label says which version runs.", "version", together=max),
    _gauge("process_virtual_memory_bytes", "bytes", "Virtual memory size in bytes.", together=sum),
    _gauge("process_resident_memory_bytes", "bytes", "Resident memory size in bytes.", together=sum),
    _gauge(
        "process_start_time_seconds",
        "seconds",
        "Start time of the process since unix epoch in seconds.",
        together=min,
    ),
    _counter("process_cpu_seconds_total", "seconds", "Total user and system CPU time spent in seconds."),
    _gauge("process_open_fds", "files", "Number of open file descriptors.", together=sum),
    _gauge("process_max_fds", "files", "Maximum number of open file descriptors.", together=min),
    _counter(
        "orchestrator_worker_restarts_total",
        "restarts",
        "Times a worker ended and was started again.",
        "worker",
        of_parent=True,
    ),
    _gauge(
        "orchestrator_worker_up",
        "0 or 1",
        "1 if the worker answers.",
        "worker",
        together=max,
        of_parent=True,
    ),
)
OF_PODS: Final = (
    _gauge(
        "orchestrator_worker_held_commands",
        "commands",
        "Commands held by lease: they wait, are being sent, or what became of them is being told.",
        "target",
        together=sum,
    ),
    _counter(
        "orchestrator_worker_outcomes_total",
        "outcomes",
        "What came of outcomes that were told to a server: stored, refused (the lease was lost), given_up (no server "
        "answered until long after the end of the lease).",
        "answer",
    ),
)
"""Those that `orchestrator worker` has and servers do not."""
BY_NAME: Final = {each.name: each for each in (*MEASURES, *OF_PODS)}
GAUGES: Final = {each.name: each.together for each in MEASURES if each.kind == "gauge" and not each.of_parent}


def counter(name: str, value: float | None = None) -> CounterMetricFamily:
    """Without a value it has labels, and samples are added to it."""
    measure = BY_NAME[name]
    return CounterMetricFamily(
        measure.family, measure.meaning, value=value, labels=None if value is not None else measure.labels
    )


def gauge(name: str, value: float | None = None) -> GaugeMetricFamily:
    """The same."""
    measure = BY_NAME[name]
    labels = None if value is not None else measure.labels
    return GaugeMetricFamily(measure.family, measure.meaning, value=value, labels=labels)


def histogram(name: str) -> HistogramMetricFamily:
    measure = BY_NAME[name]
    return HistogramMetricFamily(measure.family, measure.meaning, labels=measure.labels)
