"""A span for each commit of the rules: from the moment its batch was there to the answer of the log.

One a commit and not one an event: a batch is decided as a whole. Events that carry a trace context are linked, up to
MOST_LINKS of a commit, and attempts to deliver are linked to the commit that decided the command (`Decided`).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.trace import Link, SpanContext, Status, StatusCode, Tracer

from orchestrator.traces.context import NOTHING, of_event
from streams.event import Event
from streams.log import Answer, Batch, Code, Commit, Log, Read, Request
from streams.outputs import Command
from streams.worker import RULES

MOST_LINKS: Final = 64
MOST_WAITING: Final = 1_000
"""Trace contexts of a partition that are kept for their commit."""
MOST_DECIDED: Final = 10_000
"""Commands whose commit is known."""


class Decided:
    """Command → the span of the commit that decided it, of the last ones of this process. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: OrderedDict[str, SpanContext] = OrderedDict()

    def note(self, ids: Sequence[str], span: SpanContext) -> None:
        with self._lock:
            for id in ids:
                self._spans[id] = span
            while len(self._spans) > MOST_DECIDED:
                self._spans.popitem(last=False)

    def of(self, id: str) -> SpanContext | None:
        with self._lock:
            return self._spans.get(id)


class TracedLog:
    """Every call is the log's own; `read`, `commit` and `together` are looked at. Anybody may read: what is kept of it
    goes with the commit that passes it."""

    def __init__(self, log: Log, tracer: Tracer, decided: Decided) -> None:
        self._log = log
        self._tracer = tracer
        self._decided = decided
        self._lock = threading.Lock()
        self._waiting: dict[int, OrderedDict[int, SpanContext]] = {}
        """Partition → offset → the trace context of the event."""
        self._began: dict[int, int] = {}
        """Partition → when its batch was there, nanoseconds since 1970."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._log, name)
        if callable(found):
            setattr(self, name, found)
        return found

    def read(self, partition: int, after: int, limit: int) -> Batch:
        batch = self._log.read(partition, after, limit)
        self._seen(partition, batch.offsets, batch.events)
        return batch

    def commit(self, commit: Commit) -> Code:
        code = self._log.commit(commit)
        self._committed(commit, code)
        return code

    def together(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        answers = self._log.together(requests)
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(request, Read) and isinstance(answer, Batch):
                self._seen(request.partition, answer.offsets, answer.events)
            elif isinstance(request, Commit):
                self._committed(request, answer)
        return answers

    def _seen(self, partition: int, offsets: Sequence[int], events: Sequence[Event]) -> None:
        if events:
            self._began[partition] = time.time_ns()
        for offset, event in zip(offsets, events, strict=True):
            if event.extensions and (context := of_event(event.extensions)) is not None:
                with self._lock:
                    waiting = self._waiting.setdefault(partition, OrderedDict())
                    waiting[offset] = context
                    if len(waiting) > MOST_WAITING:
                        waiting.popitem(last=False)

    def _links(self, partition: int, start: int, end: int) -> list[Link]:
        with self._lock:
            waiting = self._waiting.get(partition, OrderedDict())
            passed = {offset: waiting.pop(offset) for offset in list(waiting) if offset <= end}
        return [Link(context) for offset, context in passed.items() if offset > start][:MOST_LINKS]

    def _committed(self, commit: Commit, answer: object) -> None:
        if commit.processor != RULES:
            return
        partition, now = commit.lease.partition, time.time_ns()
        span = self._tracer.start_span(
            "evaluate",
            NOTHING,
            links=self._links(partition, commit.start, commit.end),
            start_time=self._began.get(partition, now),
            attributes={
                "orchestrator.partition": partition,
                "orchestrator.start": commit.start,
                "orchestrator.end": commit.end,
                "orchestrator.outputs": len(commit.outputs),
                "orchestrator.commit": str(answer),
            },
        )
        if answer not in (Code.COMMITTED, Code.DONE):
            span.set_status(Status(StatusCode.ERROR, str(answer)))
        span.end(now)
        self._began[partition] = now  # of a batch that is committed in pieces, the next begins here
        if span.get_span_context().trace_flags.sampled:
            ids = [output.id for output in commit.outputs if type(output) is Command]
            self._decided.note(ids, span.get_span_context())
