"""`/console/trace`: what caused what, as a tree: from an event, a command, a position or a key to where it began, and
all that followed."""

from __future__ import annotations

from typing import Final, get_args

from aiohttp import web

from orchestrator.api.looks import TRACING
from orchestrator.api.problem import Problem
from orchestrator.console.pages.commands import SIGNS as STATES
from orchestrator.console.site import CONSOLE, UNDER, asked, page
from orchestrator.trace.nodes import Trace
from orchestrator.trace.tree import As, trace

PATH: Final = f"{UNDER}/trace"
SIGNS: Final = {
    "event": "●",
    "derived": "◆",
    "forwarded": "⇢",
    "result": "◂",
    "fallback": "↳",
    "tick": "◷",
    "control": "○",
    "command": "▶",
    "parked": "■",
    "skipped": "✕",
    "looped": "↻",
    "blocked": "▮",
}
"""Of kinds of nodes, beside the word."""


def add(app: web.Application) -> None:
    app.router.add_get(PATH, show)


async def show(request: web.Request) -> web.Response:
    """`?id=…`, and `&what=` and `&source=` where that says which of several."""
    context = request.app[CONSOLE].context
    id, source = request.query.get("id", ""), asked(request, "source")
    what = _what(asked(request, "what"))
    found: Trace | None = None
    if id:
        looks = request.app[TRACING]
        found = await looks.run(trace, context.log, context.queries, id, source=source, what=what)
    return page(
        request,
        "trace.html",
        "Trace",
        status=404 if found is not None and not found.roots else 200,
        id=id,
        what=what,
        source=source,
        found=found,
        signs=SIGNS,
        states={state.value: sign for state, sign in STATES.items()},
    )


def _what(text: str | None) -> As | None:
    """Raises Problem."""
    if text is None:
        return None
    for each in get_args(As):
        if each == text:
            known: As = each
            return known
    raise Problem(400, f"there is no `{text[:40]}` to trace: choose {', '.join(get_args(As))}")
