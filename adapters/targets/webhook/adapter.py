"""The target kind `webhook`: a command is one POST of JSON, signed if there is a secret (Standard Webhooks 1.0).

The body and `webhook-id` are the same at every attempt, so a receiver that remembers ids does everything once. No
redirects, no proxies from the environment, no cookies, no private addresses but those allowed. A session per target;
all attempts in one event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import msgspec

from adapters.classify import retry_after, verdict
from adapters.targets.webhook.guard import REFUSED, Network, guarded_sockets
from adapters.targets.webhook.signing import Signer
from adapters.work import Outcome, Verdict, Work

CONNECT: Final = 5.0
"""Seconds to connect, at most."""
KEPT: Final = 16 * 1024
"""Bytes of an answer that are read; of a longer one the connection is closed."""
SNIPPET: Final = 300
"""Characters of an answer in a reason."""
DEEPEST: Final = 32
"""Brackets in an answer's JSON, beyond which it is kept as text: it becomes part of an event."""
KEEP_ALIVE: Final = 4.0
"""Seconds that an unused connection is kept: less than servers commonly do, so that they do not close one that we are
just about to use, which would look like a failed attempt."""
_BASE_HEADERS: Final = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": "business-logic-orchestrator",
}


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    url: str
    signer: Signer | None = None
    allow: tuple[Network, ...] = ()
    timeout: float = 15.0
    """Seconds from beginning to end of an attempt whose command says nothing else."""
    concurrency: int = 8
    now: Callable[[], int] = field(kw_only=True, repr=False)


class WebhookAdapter:
    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        connector = aiohttp.TCPConnector(
            limit=options.concurrency,
            socket_factory=guarded_sockets(options.allow),
            use_dns_cache=False,
            keepalive_timeout=KEEP_ALIVE,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_BASE_HEADERS,
            trust_env=False,
            auto_decompress=False,
        )

    async def deliver(self, work: Work) -> Outcome:
        limit = work.timeout or self._options.timeout
        try:
            async with self._session.post(
                self._options.url,
                data=work.body,
                headers=self._headers(work),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(limit, sock_connect=min(CONNECT, limit)),
            ) as response:
                body, whole = await _read(response)
                if not whole:
                    response.close()
                return self._outcome(response, body)
        except aiohttp.ConnectionTimeoutError as error:
            return Outcome(Verdict.RETRY, f"no connection in time: {error}")
        except TimeoutError:
            return Outcome(Verdict.RETRY, f"no answer within {limit:g} s")
        except aiohttp.InvalidURL as error:
            return Outcome(Verdict.FINAL, f"the target's URL cannot be called: {error}")
        except aiohttp.ClientConnectorError as error:
            if error.os_error.errno == REFUSED:
                return Outcome(Verdict.FINAL, f"refused to connect: {error.os_error.strerror}")
            return Outcome(Verdict.RETRY, f"no connection: {error}")
        except (aiohttp.ClientError, OSError) as error:
            return Outcome(Verdict.RETRY, f"the connection failed: {type(error).__name__}: {error}")

    async def close(self) -> None:
        await self._session.close()

    def _headers(self, work: Work) -> dict[str, str]:
        seconds = self._options.now() // 1_000_000
        headers = {"webhook-id": work.id, "idempotency-key": work.id, "webhook-timestamp": str(seconds)}
        if self._options.signer is not None:
            headers["webhook-signature"] = self._options.signer.sign(work.id, seconds, work.body)
        return {**dict(work.headers), **headers}

    def _outcome(self, response: aiohttp.ClientResponse, body: bytes) -> Outcome:
        found = verdict(response.status)
        content = _content(response, body)
        result = {"status": response.status, "body": content}
        if found is Verdict.DONE:
            return Outcome(found, result=result)
        snippet = content if isinstance(content, str) else body.decode("utf-8", "replace")
        reason = f"HTTP {response.status}" + (f": {snippet[:SNIPPET].strip()}" if snippet else "")
        wait = retry_after(response.headers.get("retry-after"), self._options.now())
        return Outcome(found, reason, result, wait if found is Verdict.RETRY else None)


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The first KEPT bytes, and whether they are all. The status alone decides: an answer that breaks off or drips
    until the time is over does not undo it."""
    kept = bytearray()
    try:
        while len(kept) <= KEPT:
            piece = await response.content.read(KEPT + 1 - len(kept))
            if not piece:
                return bytes(kept), True
            kept += piece
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    return bytes(kept[:KEPT]), False


def _content(response: aiohttp.ClientResponse, body: bytes) -> Any:
    """JSON where the answer is a short one, else text; None for an empty one."""
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
