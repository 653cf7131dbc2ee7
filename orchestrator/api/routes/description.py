"""`GET /openapi.json`, the API described for programs, and `GET /docs`, a page that shows it and tries requests.

The page is Swagger UI, which lies in `page/` unchanged; it needs nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from orchestrator.api.openapi import openapi
from orchestrator.api.route import Route

FOLDER: Final = Path(__file__).parent.parent / "page"
FILES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
}
# Swagger UI sets styles on elements, and has its icons as data.
_POLICY: Final = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


def add(app: web.Application, routes: Sequence[Route]) -> None:
    document = orjson.dumps(openapi(routes, version("business-logic-orchestrator")))

    async def described(request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    async def page(request: web.Request) -> web.FileResponse:
        return web.FileResponse(FOLDER / "index.html", headers={"Content-Security-Policy": _POLICY})

    async def part(request: web.Request) -> web.FileResponse:
        name = request.match_info["file"]
        if name not in FILES:
            raise web.HTTPNotFound
        return web.FileResponse(FOLDER / name, headers={"Content-Type": FILES[name]})

    app.router.add_get("/openapi.json", described)
    app.router.add_get("/docs", page)
    app.router.add_get("/docs/{file}", part)
