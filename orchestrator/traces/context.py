"""Trace contexts as W3C writes them: `traceparent`, in headers and in events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR: Final = TraceContextTextMapPropagator()
NOTHING: Final = Context()
"""Of a span that begins a trace."""


def of_headers(headers: Mapping[str, str]) -> Context:
    """Empty where there is none, or none that can be read."""
    return _PROPAGATOR.extract(headers, context=NOTHING)


def of_event(extensions: Mapping[str, Any]) -> SpanContext | None:
    """By CloudEvents' extension for distributed tracing."""
    found = {name: value for name in ("traceparent", "tracestate") if isinstance(value := extensions.get(name), str)}
    context = get_current_span(_PROPAGATOR.extract(found, context=NOTHING)).get_span_context()
    return context if context.is_valid else None


def headers() -> tuple[tuple[str, str], ...]:
    """Of the current span."""
    found: dict[str, str] = {}
    _PROPAGATOR.inject(found)
    return tuple(found.items())
