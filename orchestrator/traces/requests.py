"""A span for each request to the API, a child of the caller's where it says one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from orchestrator.api.requests import method, route
from orchestrator.traces.context import of_headers


def middleware(tracer: Tracer) -> Any:
    @web.middleware
    async def traced(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        verb, template = method(request), route(request)
        attributes = {"http.request.method": verb, "http.route": template, "url.path": request.path}
        with tracer.start_as_current_span(
            f"{verb} {template}", of_headers(request.headers), SpanKind.SERVER, attributes
        ) as span:
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            return response

    return traced
