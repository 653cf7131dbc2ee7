"""A span for each attempt to deliver. What is sent carries it, where the target's protocol has headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer

from adapters.adapter import Adapter, BatchAdapter
from adapters.target import Target
from adapters.work import Outcome, Verdict, Work
from orchestrator.traces.commits import Decided
from orchestrator.traces.context import NOTHING, headers, of_event, of_headers

LONGEST = 200
"""Characters of a reason."""
MOST_LINKS = 128
"""Of the span of a batch; tracers commonly keep no more."""


class TracedAdapter:
    """Any adapter, whose attempts are spans."""

    def __init__(self, adapter: Adapter, tracer: Tracer, decided: Decided) -> None:
        self._adapter = adapter
        self._tracer = tracer
        self._decided = decided

    async def deliver(self, work: Work) -> Outcome:
        """Of what a server has lent, the span is a child of that one's."""
        decided = self._decided.of(work.id)
        about: dict[str, str | int] = {
            "orchestrator.command.id": work.id,
            "orchestrator.target": work.target,
            "orchestrator.attempt": work.attempt,
        }
        if work.partition >= 0:  # a worker does not know it
            about["orchestrator.partition"] = work.partition
        with self._tracer.start_as_current_span(
            f"deliver {work.target}",
            of_headers(dict(work.headers)),
            SpanKind.CLIENT,
            about,
            links=[] if decided is None else [Link(decided)],
        ) as span:
            outcome = await self._adapter.deliver(work._replace(headers=headers()))
            span.set_attribute("orchestrator.verdict", outcome.verdict.value)
            if outcome.verdict is not Verdict.DONE:
                span.set_status(Status(StatusCode.ERROR, outcome.reason[:LONGEST]))
            return outcome

    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        """One span, because there is one request; joined to what decided or lent each of its commands."""
        assert isinstance(self._adapter, BatchAdapter)
        target = works[0].target
        with self._tracer.start_as_current_span(
            f"deliver {target}",
            NOTHING,
            SpanKind.CLIENT,
            {"orchestrator.target": target, "orchestrator.batch": len(works)},
            links=[
                Link(decided, {"orchestrator.command.id": work.id})
                for work in works[:MOST_LINKS]
                if (decided := self._decided.of(work.id) or of_event(dict(work.headers))) is not None
            ],
        ) as span:
            sent = headers()
            outcomes = await self._adapter.deliver_many([work._replace(headers=sent) for work in works])
            failed = [outcome for outcome in outcomes if outcome.verdict is not Verdict.DONE]
            span.set_attribute("orchestrator.batch.failed", len(failed))
            if failed:
                span.set_status(Status(StatusCode.ERROR, failed[0].reason[:LONGEST]))
            return outcomes

    async def close(self) -> None:
        await self._adapter.close()


def lent(work: Work, tracer: Tracer, decided: Decided) -> Work:
    """The same work, on its way to a worker elsewhere, with the trace context of a span that says so."""
    found = decided.of(work.id)
    with tracer.start_as_current_span(
        f"lend {work.target}",
        NOTHING,
        SpanKind.PRODUCER,
        {
            "orchestrator.command.id": work.id,
            "orchestrator.target": work.target,
            "orchestrator.attempt": work.attempt,
            "orchestrator.partition": work.partition,
        },
        links=[] if found is None else [Link(found)],
    ):
        return work._replace(headers=headers())


def traced(target: Target, tracer: Tracer, decided: Decided) -> Target:
    open = target.open
    return target if open is None else replace(target, open=lambda: TracedAdapter(open(), tracer, decided))
