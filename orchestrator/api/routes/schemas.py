"""`GET /v1/schemas/rules.json`: the JSON Schema of rule files, for editors."""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

from orchestrator.api.route import Content, Route
from rules.json_schema import schema

_BODY: Final = orjson.dumps(schema())


async def rules(request: web.Request) -> web.Response:
    return web.Response(body=_BODY, content_type="application/schema+json")


ROUTES: Final = (
    Route(
        "GET",
        "/v1/schemas/rules.json",
        rules,
        "The JSON Schema of rule files, of this server's version",
        answers={200: Content({"application/schema+json": {"type": "object"}}, "a JSON Schema")},
    ),
)
