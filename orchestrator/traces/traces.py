"""All that is traced of one process: what wraps requests, the log and targets, and an orderly end.

What the SDK reads from the environment by itself holds: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, …
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, cast

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from adapters.target import Target
from adapters.work import Work
from orchestrator.traces.attempts import lent, traced
from orchestrator.traces.commits import Decided, TracedLog
from orchestrator.traces.requests import middleware
from streams.log import Log

PACKAGE: Final = "business-logic-orchestrator"
FLUSH: Final = 5_000
"""Milliseconds that spans have to leave at the end."""


class Traces:
    """`endpoint` of the collector, without the path. `member` is this process's name among others."""

    def __init__(self, endpoint: str, member: str) -> None:
        ours = {"service.name": PACKAGE, "service.version": version(PACKAGE), "service.instance.id": member}
        self._provider = TracerProvider(resource=Resource(ours).merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
        self._tracer = self._provider.get_tracer("orchestrator", version(PACKAGE))
        self._decided = Decided()

    def middleware(self) -> Any:
        """Of the HTTP API."""
        return middleware(self._tracer)

    def log(self, log: Log) -> Log:
        """The same log, whose commits of the rules are spans."""
        return cast(Log, TracedLog(log, self._tracer, self._decided))

    def targets(self, targets: Mapping[str, Target]) -> dict[str, Target]:
        """The same targets, whose attempts are spans."""
        return {name: traced(target, self._tracer, self._decided) for name, target in targets.items()}

    def lent(self, work: Work) -> Work:
        """The same work, on its way to a worker elsewhere, with a trace context for its target."""
        return lent(work, self._tracer, self._decided)

    def close(self) -> None:
        """Sends what is left. Blocks."""
        self._provider.force_flush(FLUSH)
        self._provider.shutdown()
