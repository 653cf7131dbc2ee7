"""As much of an HTTP answer as is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

SNIPPET: Final = 300
"""Characters of an answer in a reason."""
DEEPEST: Final = 32
"""Brackets in an answer's JSON, beyond which it is kept as text: it becomes part of an event."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    retry_after: str | None
    body: bytes
    whole: bool
    content: Any
    """JSON where the answer is a short one, else text; None for an empty one."""

    @property
    def snippet(self) -> str:
        """What it begins with, after a colon; empty for nothing."""
        text = self.content if isinstance(self.content, str) else self.body.decode("utf-8", "replace")
        return f": {text[:SNIPPET].strip()}" if text else ""


async def read(response: aiohttp.ClientResponse, most: int) -> Response:
    """The first `most` bytes. The status alone decides: an answer that breaks off or drips until the time is over does
    not undo it."""
    body, whole = await _read(response, most)
    if not whole:
        response.close()
    return Response(response.status, response.headers.get("retry-after"), body, whole, _content(response, body))


async def _read(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    kept = bytearray()
    try:
        while len(kept) <= most:
            piece = await response.content.read(most + 1 - len(kept))
            if not piece:
                return bytes(kept), True
            kept += piece
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    return bytes(kept[:most]), False


def _content(response: aiohttp.ClientResponse, body: bytes) -> Any:
    if not body:
        return None
    if response.headers.get("content-encoding", "identity") != "identity":
        return None
    kind = response.content_type
    if (kind == "application/json" or kind.endswith("+json")) and body.count(b"{") + body.count(b"[") <= DEEPEST:
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    return body.decode("utf-8", "replace")
