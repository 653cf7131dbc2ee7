"""`/console/health`: what is wrong, what this process waits for, and what it is."""

from __future__ import annotations

import asyncio
import platform
from importlib.metadata import version
from typing import Any, Final

from aiohttp import web

from orchestrator.console.site import CONSOLE, UNDER, Console, page
from streams import rfc3339

EVERY: Final = 5.0


def add(app: web.Application) -> None:
    app.router.add_get(f"{UNDER}/health", health)


async def health(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    context = console.context
    return page(
        request,
        "health.html",
        "Health",
        every=EVERY,
        problems=context.problems(),
        stalled=context.stalled(),
        waiting_for=context.waiting_for(),
        facts=await asyncio.to_thread(_facts, console),
        forks=[
            {"generation": fork.generation, "partition": fork.partition, "offset": fork.offset, "at": fork.at}
            for fork in context.log.forks
        ],
    )


def _facts(console: Console) -> list[tuple[str, Any]]:
    info, log = console.context.log.info, console.context.log
    return [
        ("version", f"{version('business-logic-orchestrator')} on Python {platform.python_version()}"),
        ("log", info.id),
        ("generation", info.generation),
        ("partitions", info.partitions),
        ("time of the log", rfc3339.format(log.now())[:19] + "Z"),
        ("rule set", f"{console.ruleset.name} {console.ruleset.digest}"),
        ("partitions evaluated by this process", sum(view.state == "running" for view in console.context.views())),
    ]
