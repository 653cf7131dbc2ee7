"""Access tokens by OAuth 2.0 client credentials (RFC 6749, 4.4): asked for once, used until shortly before they expire.

However many attempts wait for a token, one request is on its way. Its endpoint is called through the same guarded
connections as the target's.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp
import msgspec

from adapters.targets.webhook.headers import check_value

TIMEOUT: Final = 10.0
"""Seconds of one request for a token."""
EARLY: Final = 30.0
"""Seconds before it expires that a token is not used any more; of a short-lived one a tenth of its time."""
LIFETIME: Final = 300.0
"""Seconds that a token is taken to be good for, if its endpoint does not say."""
LONGEST: Final = 86_400.0
PAUSE: Final = 1.0
"""Seconds after one that failed until the next request: attempts in between fail with the same reason."""
LARGEST: Final = 64 * 1024
"""Bytes of an answer."""
SNIPPET: Final = 200


@dataclass(frozen=True, slots=True)
class TokenOptions:
    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    audience: str = ""
    in_body: bool = False
    """Id and secret as fields of the form, where the endpoint does not know HTTP Basic."""
    tls: SSLContext | None = field(default=None, repr=False)
    received: Callable[[str], None] = field(default=lambda token: None, repr=False)
    """Told each token, so that it can be kept out of sight."""


class TokenError(Exception):
    """There is no token to be had now. Shows none, nor the client's secret."""


class _Token(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind of token
    expires_in: float | str | None = None


class Tokens:
    """One event loop."""

    def __init__(self, options: TokenOptions, session: aiohttp.ClientSession) -> None:
        self._options = options
        self._session = session
        self._token = ""
        self._until = 0.0
        self._failed: TokenError | None = None
        self._again = 0.0
        self._asking: asyncio.Task[str | TokenError] | None = None

    async def get(self) -> str:
        """Raises TokenError."""
        loop = asyncio.get_running_loop()
        if self._token and loop.time() < self._until:
            return self._token
        if self._asking is None:
            if self._failed is not None and loop.time() < self._again:
                raise self._failed
            self._asking = loop.create_task(self._ask())
            self._asking.add_done_callback(self._asked)
        found = await asyncio.shield(self._asking)
        if isinstance(found, TokenError):
            raise found
        return found

    def drop(self, token: str) -> None:
        """It was refused: the next is asked for anew, unless that has happened."""
        if token == self._token:
            self._token = ""

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))

    def _asked(self, task: asyncio.Task[str | TokenError]) -> None:
        self._asking = None
        if not task.cancelled() and isinstance(failed := task.result(), TokenError):
            self._failed, self._again = failed, asyncio.get_running_loop().time() + PAUSE

    async def _ask(self) -> str | TokenError:
        try:
            status, body = await self._request()
        except TimeoutError:
            return TokenError(f"the token endpoint did not answer within {TIMEOUT:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return TokenError(f"no connection to the token endpoint: {error}")
        if status != 200:
            return TokenError(f"the token endpoint answered HTTP {status}{_said(body)}")
        try:
            found = msgspec.json.decode(body, type=_Token)
            seconds = LIFETIME if found.expires_in is None else min(max(float(found.expires_in), 0.0), LONGEST)
            check_value(found.access_token)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return TokenError(f"the token endpoint's answer is no token: {error}")
        if found.token_type.lower() != "bearer" or not found.access_token:
            return TokenError("the token endpoint's answer is no bearer token")
        self._options.received(found.access_token)
        self._token = found.access_token
        self._until = asyncio.get_running_loop().time() + seconds - min(EARLY, seconds / 10)
        return self._token

    async def _request(self) -> tuple[int, bytes]:
        options = self._options
        form = {"grant_type": "client_credentials"}
        if options.scopes:
            form["scope"] = " ".join(options.scopes)
        if options.audience:
            form["audience"] = options.audience
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if options.in_body:
            form |= {"client_id": options.client_id, "client_secret": options.client_secret}
        else:
            headers["authorization"] = basic(quote_plus(options.client_id), quote_plus(options.client_secret))
        body = "&".join(f"{name}={quote_plus(value)}" for name, value in form.items())
        more: dict[str, Any] = {} if options.tls is None else {"ssl": options.tls}
        async with self._session.post(
            options.url,
            data=body.encode(),
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(TIMEOUT, sock_connect=TIMEOUT / 2),
            **more,
        ) as response:
            found = bytearray()
            while len(found) <= LARGEST and (piece := await response.content.read(LARGEST + 1 - len(found))):
                found += piece
            if len(found) > LARGEST:
                response.close()
            return response.status, bytes(found[:LARGEST])


def basic(user: str, password: str) -> str:
    """The value of a header `Authorization` (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _said(body: bytes) -> str:
    """`error` and `error_description` of RFC 6749, or else how the answer begins."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    if isinstance(found, dict):
        words = [word for key in ("error", "error_description") if isinstance(word := found.get(key), str)]
        text = ", ".join(words)
    else:
        text = body.decode("utf-8", "replace")
    text = text[:SNIPPET].strip()
    return f": {text}" if text else ""
