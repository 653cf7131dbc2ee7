"""Puts the API together: middleware, context, routes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiohttp import web

from orchestrator.api import envelope, looks, other_pages
from orchestrator.api.body import BODIES, Bodies
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.expect import expect
from orchestrator.api.problem import middleware
from orchestrator.api.route import Route
from orchestrator.api.routes import (
    commands,
    delivery,
    description,
    events,
    health,
    imports,
    keys,
    log_level,
    partitions,
    projections,
    schemas,
    targets,
    trace,
    work,
    workers,
)

EVERYTHING: Final = tuple(
    route
    for resource in (
        events,
        imports,
        projections,
        commands,
        work,
        workers,
        targets,
        delivery,
        keys,
        partitions,
        trace,
        schemas,
        log_level,
        health,
    )
    for route in resource.ROUTES
)


def make_app(
    context: Context, everything: bool = True, origins: Sequence[str] = (), around: Sequence[Any] = ()
) -> web.Application:
    """Not `everything`: what tells how this process is. `origins`: whose pages may call it from a browser. `around`:
    middlewares outside of ours."""
    bodies = Bodies(context.body_bytes)
    app = web.Application(
        middlewares=[
            *around,
            envelope.middleware(),
            other_pages.middleware(origins),
            middleware(context.failed, bodies.over),
        ],
        client_max_size=context.body_bytes,
    )
    app[CONTEXT] = context
    app[BODIES] = bodies
    looks.add(app)
    app.on_response_prepare.append(envelope.sign)
    app.on_shutdown.append(bodies.stop)
    app.on_shutdown.append(lambda app: context.live.stop())
    app.on_shutdown.append(lambda app: context.door.stop())
    add(app, EVERYTHING if everything else health.ROUTES)
    if everything:
        description.add(app, EVERYTHING)
    envelope.allow(app, origins)
    return app


def add(app: web.Application, routes: Iterable[Route]) -> None:
    for route in routes:
        if route.method == "GET":
            app.router.add_get(route.path, route.handler, expect_handler=expect)  # and HEAD
        else:
            app.router.add_route(route.method, route.path, route.handler, expect_handler=expect)
