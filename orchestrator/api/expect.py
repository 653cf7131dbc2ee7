"""`Expect: 100-continue` is met; any other expectation is refused, as a problem like all others.

aiohttp asks this before middlewares run. Its own handler puts what was sent into a text, and fails where that is none.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.hdrs import EXPECT

from orchestrator.api.problem import problem


async def expect(request: web.Request) -> web.StreamResponse | None:
    asked = request.headers.get(EXPECT, "")
    if asked.lower() != "100-continue":
        return problem(417, f"Expect is {asked[:40]}: send 100-continue, or leave it out")
    if request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # what was written is no part of the answer
    return None
