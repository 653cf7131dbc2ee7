"""`GET /v1/schemas/rules.json`: the JSON Schema of rule files, for editors."""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

from rules.json_schema import schema

_BODY: Final = orjson.dumps(schema())


def add(app: web.Application) -> None:
    app.router.add_get("/v1/schemas/rules.json", rules)


async def rules(request: web.Request) -> web.Response:
    return web.Response(body=_BODY, content_type="application/schema+json")
