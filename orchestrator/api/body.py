"""Request bodies, bounded in size, in time, and in how many are held at once.

Beyond the size: 413, told from Content-Length where there is one. A body that does not arrive in time is answered with
408, one that the server will not wait for because it stops, or has too many at hand, with 503. A client that goes away
is no failure of ours. A body that came together with its head, as nearly all do, takes none of these paths.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from orchestrator.api.problem import Problem

PATIENCE: Final = 30.0
"""Seconds that a body has to arrive."""
MOST_HELD: Final = 32
"""Bodies of the largest size that are held at once; smaller ones count by their size."""

PIECE: Final = 16 << 10
"""Bytes of a packed body that are unpacked at once."""
MOST_MEMBERS: Final = 10_000
"""Of one packed body; an empty one has twenty bytes, and costs more than that to undo."""

AT_ONCE: Final = {"Retry-After": "1"}


class Bodies:
    """Those that are on their way, on one event loop. `most`: bytes of one body."""

    def __init__(self, most: int, patience: float = PATIENCE) -> None:
        self.most = most
        self.patience = patience
        self._held = 0
        self._waiting: set[asyncio.Timeout] = set()
        self._stopping = False

    async def stop(self, app: web.Application) -> None:
        """Nobody waits for a body any more: once aiohttp shuts down, what arrives late is dropped."""
        self._stopping = True
        for limit in self._waiting:
            limit.reschedule(asyncio.get_running_loop().time())

    async def arrived(self, request: web.Request) -> bytes:
        """Raises Problem 408 and 503, and what reading raises. Until the request is `over` the body counts."""
        length = request.content_length if request.content_length is not None else self.most
        if self._held and self._held + length > self.most * MOST_HELD:
            raise Problem(
                503,
                "too many large bodies are being handled: send it again",
                code="too-many",
                headers={"Retry-After": "1"},
            )
        self._held += length
        request[_LENGTH] = length
        try:
            async with asyncio.timeout(0 if self._stopping else self.patience) as limit:
                self._waiting.add(limit)
                try:
                    return await request.read()
                finally:
                    self._waiting.discard(limit)
        except TimeoutError:
            if self._stopping:
                raise Problem(503, "the server stops: send it again", headers=AT_ONCE) from None
            raise Problem(408, f"the body did not arrive within {self.patience:g} seconds: send it again") from None

    def over(self, request: web.Request) -> None:
        self._held -= request.get(_LENGTH, 0)


BODIES: Final[web.AppKey[Bodies]] = web.AppKey("bodies", Bodies)
_LENGTH: Final = web.RequestKey("length", int)


async def read_body(request: web.Request, most: int) -> bytes:
    """Unpacked, if it was sent as gzip: `most` bounds both. Raises Problem: 413, 408 and 503 as above, 415 for an
    encoding that the server does not undo, 400 for a body that breaks off."""
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise Problem(415, f"Content-Encoding is {encoding[:40]}: send gzip, or the body as it is")
    body = await _read(request, most)
    return body if encoding == "identity" else _unpacked(body, most)


async def _read(request: web.Request, most: int) -> bytes:
    if request.content_length is not None and request.content_length > most:
        raise _too_large(most)
    try:
        if request.content.is_eof():
            return await request.read()
        return await request.app[BODIES].arrived(request)
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(most) from None
    except (ConnectionError, HttpProcessingError, web.RequestPayloadError) as error:
        raise Problem(400, f"the body breaks off or is no valid HTTP ({error}): send it again") from error


def _unpacked(body: bytes, most: int) -> bytes:
    """Never makes more than a piece beyond `most`. Raises Problem 400 and 413."""
    found = bytearray()
    view = memoryview(body)
    at = members = 0
    try:
        while at < len(view):
            members += 1
            if members > MOST_MEMBERS:
                raise Problem(413, f"the body has more than {MOST_MEMBERS:,} gzip members: send one")
            member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            while not member.eof and at < len(view):
                # zlib copies what lies behind the end of a member: a piece of the body, never all of it.
                piece = view[at : at + PIECE]
                found += member.decompress(piece, most - len(found) + 1)
                if len(found) > most:
                    raise _too_large(most)
                at += len(piece) - len(member.unused_data)
            if not member.eof:
                raise Problem(400, "the body breaks off within its gzip data: send it again")
    except zlib.error as error:
        raise Problem(400, f"the body is no gzip ({error}): send gzip, or leave Content-Encoding out") from None
    return bytes(found)


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than the {most:,} bytes allowed: send it in parts")
