"""Request bodies, bounded. Beyond the bound: 413, told from Content-Length where there is one."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from orchestrator.api.problem import Problem


async def read_body(request: web.Request, most: int) -> bytes:
    """Raises Problem 413 and, for an encoding that the server does not undo, 415."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise Problem(415, f"Content-Encoding is {encoding[:40]}: send the body as it is")
    if request.content_length is not None and request.content_length > most:
        raise _too_large(most)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(most) from None


async def read_object(request: web.Request, most: int) -> dict[str, Any]:
    """A JSON object, empty for an empty body. Raises Problem 400 and 413."""
    body = await read_body(request, most)
    if not body.strip():
        return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is no JSON ({error}): send a JSON object") from None
    if not isinstance(found, dict):
        raise Problem(400, "the body must be a JSON object")
    return found


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than the {most:,} bytes allowed: send it in parts")
