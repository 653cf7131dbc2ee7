"""The metrics of a worker, in the Prometheus format. Which there are is in `orchestrator/measures.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from orchestrator.measures import BY_NAME, SECONDS, gauge

PACKAGE = "business-logic-orchestrator"


class WorkerMetrics:
    """`held`: how many commands are held of each target."""

    def __init__(self, held: Callable[[], Mapping[str, int]]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # series that nobody asks for, one for each that is
        self.registry = CollectorRegistry()
        errors = BY_NAME["orchestrator_errors_total"]
        outcomes = BY_NAME["orchestrator_worker_outcomes_total"]
        attempts = BY_NAME["orchestrator_delivery_attempt_seconds"]
        self._errors = Counter(errors.family, errors.meaning, errors.labels, registry=self.registry)
        self._outcomes = Counter(outcomes.family, outcomes.meaning, outcomes.labels, registry=self.registry)
        self._attempts = Histogram(
            attempts.name, attempts.meaning, attempts.labels, registry=self.registry, buckets=SECONDS
        )
        self.registry.register(_Now(held))
        ProcessCollector(registry=self.registry)

    def failed(self, part: str) -> None:
        self._errors.labels(part).inc()

    def attempted(self, target: str, verdict: str, seconds: float) -> None:
        self._attempts.labels(target, verdict).observe(seconds)

    def answered(self, what: str) -> None:
        """What came of an outcome that was said."""
        self._outcomes.labels(what).inc()


class _Now(Collector):
    def __init__(self, held: Callable[[], Mapping[str, int]]) -> None:
        self._held = held

    def collect(self) -> Iterator[Metric]:
        held = gauge("orchestrator_worker_held_commands")
        for target, count in self._held().items():
            held.add_metric([target], count)
        build = gauge("orchestrator_build_info")
        build.add_metric([version(PACKAGE)], 1)
        yield from (held, build)
