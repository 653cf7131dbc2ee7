"""`GET /v1/schemas/rules.json` and `…/targets.json`: the JSON Schemas of rule files and targets files, for editors."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final

import orjson
from aiohttp import web

from adapters import json_schema as targets_schema
from adapters.kinds import foreign
from orchestrator.api.route import Content, Route
from rules.json_schema import schema

_TYPE: Final = "application/schema+json"
_RULES: Final = orjson.dumps(schema())
_ANSWERS: Final = {200: Content({_TYPE: {"type": "object"}}, "a JSON Schema")}


async def rules(request: web.Request) -> web.Response:
    return web.Response(body=_RULES, content_type=_TYPE)


async def targets(request: web.Request) -> web.Response:
    return web.Response(body=await asyncio.to_thread(_targets), content_type=_TYPE)


@cache
def _targets() -> bytes:
    """What is published, which knows all our kinds, so that no library of one is imported for it; where there are kinds
    of others, made with theirs."""
    return orjson.dumps(targets_schema.schema()[0]) if foreign() else targets_schema.PUBLISHED.read_bytes()


ROUTES: Final = (
    Route(
        "GET",
        "/v1/schemas/rules.json",
        rules,
        "The JSON Schema of rule files, of this server's version",
        answers=_ANSWERS,
    ),
    Route(
        "GET",
        "/v1/schemas/targets.json",
        targets,
        "The JSON Schema of targets files, with the kinds that this server has",
        answers=_ANSWERS,
    ),
)
