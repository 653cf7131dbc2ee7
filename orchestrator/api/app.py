"""Puts the API together: middleware, context, routes."""

from __future__ import annotations

from aiohttp import web

from orchestrator.api.body import BODIES, Bodies
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.problem import middleware
from orchestrator.api.routes import commands, events, health, imports, keys, partitions, projections, schemas


def make_app(context: Context, everything: bool = True) -> web.Application:
    """Not `everything`: what tells how this process is."""
    bodies = Bodies(context.body_bytes)
    app = web.Application(middlewares=[middleware(context.failed, bodies.over)], client_max_size=context.body_bytes)
    app[CONTEXT] = context
    app[BODIES] = bodies
    app.on_shutdown.append(bodies.stop)
    for resource in (events, imports, projections, commands, keys, partitions, schemas) if everything else ():
        resource.add(app)
    health.add(app)
    return app
