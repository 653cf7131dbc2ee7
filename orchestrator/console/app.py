"""Puts the console into the application of the API: its pages, its files, and the task that remembers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiohttp import web

from orchestrator.console.pages import (
    asking,
    commands,
    dry_run,
    events,
    health,
    keys,
    overview,
    projections,
    rows,
    rules,
    targets,
    trace,
)
from orchestrator.console.site import CONSOLE, UNDER, Console, dressed

SUBJECTS: Final = (
    overview,
    events,
    commands,
    asking,
    targets,
    keys,
    projections,
    rows,
    rules,
    dry_run,
    trace,
    health,
)
STATIC: Final = Path(__file__).parent / "static"
TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def add(app: web.Application, console: Console) -> None:
    """Before the application is started."""
    app[CONSOLE] = console
    # Right outside of what makes problems of errors, and within all that surrounds answers.
    app.middlewares.insert(len(app.middlewares) - 1, dressed)
    for subject in SUBJECTS:
        subject.add(app)
    for file in sorted(STATIC.rglob("*")):
        if file.suffix in TYPES:
            app.router.add_get(f"{UNDER}/static/{file.relative_to(STATIC).as_posix()}", _File(file).send)
    app.cleanup_ctx.append(_remembering)


class _File:
    """Read once: pages then need no disk. Browsers ask again each time, and are told that nothing changed."""

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()
        self._type = TYPES[path.suffix]
        self._mark = f'"{hashlib.blake2b(self._body, digest_size=12).hexdigest()}"'

    async def send(self, request: web.Request) -> web.Response:
        headers = {"ETag": self._mark, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == self._mark:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._body, content_type=self._type, charset="utf-8", headers=headers)


async def _remembering(app: web.Application) -> AsyncIterator[None]:
    console = app[CONSOLE]
    task = asyncio.create_task(console.recent.run(console.context.failed))
    yield
    task.cancel()
    await asyncio.wait([task])
