"""The target kind `webhook`: a command, or a batch of them, is one request, signed if there is a secret (Standard
Webhooks 1.0).

The body and `webhook-id` are the same at every attempt, so a receiver that remembers ids does everything once. No
redirects, no proxies from the environment, no cookies, no private addresses but those allowed. A session per target;
all attempts in one event loop.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from adapters.redact import HIDDEN
from adapters.retry_after import retry_after
from adapters.targets.webhook.answers import FAILURES, verdict
from adapters.targets.webhook.guard import REFUSED, Network, guarded_sockets
from adapters.targets.webhook.headers import check_value
from adapters.targets.webhook.response import Response, read
from adapters.targets.webhook.results import judge
from adapters.targets.webhook.shape import Message, Shape, in_order
from adapters.targets.webhook.signing import Signer
from adapters.targets.webhook.tokens import TokenError, TokenOptions, Tokens
from adapters.targets.webhook.url import UrlTemplate
from adapters.template import Template, TemplateError
from adapters.work import Outcome, Verdict, Work

CONNECT: Final = 5.0
"""Seconds to connect, at most."""
KEPT: Final = 16 * 1024
"""Bytes of an answer that are read; of a longer one the connection is closed."""
KEPT_OF_EACH: Final = 512
"""More of them for each command of a batch."""
SPLIT: Final = frozenset((400, 413, 422))
"""Of these answers one command may be the reason, or their number: the batch is sent in halves."""
KEEP_ALIVE: Final = 4.0
"""Seconds that an unused connection is kept: less than servers commonly do, so that they do not close one that we are
just about to use, which would look like a failed attempt."""
_BASE_HEADERS: Final = {"accept-encoding": "identity", "user-agent": "business-logic-orchestrator"}
_CREDENTIALS: Final = ("authorization", "webhook-signature")
"""Headers that who sees them could use."""


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    url: str
    signer: Signer | None = None
    allow: tuple[Network, ...] = ()
    timeout: float = 15.0
    """Seconds from beginning to end of an attempt whose command says nothing else."""
    concurrency: int = 8
    method: str = "POST"
    shape: Shape = field(default_factory=Shape)
    path: UrlTemplate | None = None
    """Of the URL, where it is not the same for every command."""
    headers: tuple[tuple[str, Template], ...] = field(default=(), repr=False)
    authorization: str = field(default="", repr=False)
    tokens: TokenOptions | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    server_name: str | None = None
    batch: int = 1
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
        self._tokens = Tokens(options.tokens, self._session) if options.tokens is not None else None
        self._plain = options.path is None and all(template.static for _, template in options.headers)
        """Whether a request is the same for every command, but for its body."""
        self._timeout = _timeout(options.timeout)
        self._fixed = {name: template.sample for name, template in options.headers} if self._plain else {}

    async def deliver(self, work: Work) -> Outcome:
        if self._options.batch > 1:
            return (await self.deliver_many([work]))[0]
        try:
            url, headers = self._of(work)
            message = self._options.shape.one(work)
        except TemplateError as error:
            return _failure("template", str(error))
        limit = work.timeout or self._options.timeout
        found = await self._request(url, message, {**dict(work.headers), **headers}, limit, KEPT)
        return found if isinstance(found, Outcome) else self._outcome(found)

    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        """An answer of SPLIT to several is no answer yet: each half is sent by itself, while the time lasts."""
        loop = asyncio.get_running_loop()
        limit = works[0].timeout or self._options.timeout
        over = loop.time() + limit
        found: dict[str, Outcome] = {}
        parts = [in_order(works)]
        while parts:
            part = parts.pop()
            outcomes = await self._send(part, over - loop.time(), limit)
            if outcomes is None:
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            found.update(zip((work.id for work in part), outcomes, strict=True))
        return [found[work.id] for work in works]

    async def preview(self, work: Work) -> Any:
        options = self._options
        if options.batch > 1:
            url, more, message = options.url, self._fixed, options.shape.many([work])
        else:
            url, more = self._of(work)
            message = options.shape.one(work)
        headers = {**_BASE_HEADERS, **self._headers(message, more, HIDDEN if self._tokens is not None else "")}
        headers |= {name: HIDDEN for name in _CREDENTIALS if name in headers}
        return {"method": options.method, "url": url, "headers": headers, "body": msgspec.json.decode(message.body)}

    async def close(self) -> None:
        if self._tokens is not None:
            await self._tokens.close()
        await self._session.close()

    async def _send(self, works: list[Work], left: float, limit: float) -> list[Outcome] | None:
        """None to send them in halves."""
        if left <= 0:
            return [_late(limit)] * len(works)
        try:
            message = self._options.shape.many(works)
        except TemplateError as error:
            if len(works) > 1:
                return None
            return [_failure("template", str(error))]
        headers = {**dict(works[0].headers), **self._fixed}
        kept = KEPT + KEPT_OF_EACH * len(works)
        answer = await self._request(self._options.url, message, headers, left, kept)
        if isinstance(answer, Outcome):
            return [answer] * len(works)
        if answer.status in SPLIT and len(works) > 1:
            return None
        if verdict(answer.status) is Verdict.DONE:
            wait = retry_after(answer.retry_after, self._options.now())
            if (said := judge(works, answer.status, answer.body, answer.whole, wait)) is not None:
                return said
        return [self._outcome(answer)] * len(works)

    def _of(self, work: Work) -> tuple[str, dict[str, str]]:
        """URL and further headers of a command. Raises TemplateError."""
        if self._plain:
            return self._options.url, self._fixed
        command = msgspec.json.decode(work.body)
        headers = {}
        for name, template in self._options.headers:
            try:
                headers[name] = template.render(command)
                check_value(headers[name])
            except ValueError as error:
                raise TemplateError(f"the header `{name}` cannot be made: {error}") from None
        path = self._options.path
        return self._options.url if path is None else path.render(command), headers

    async def _request(
        self, url: str, message: Message, more: dict[str, str], limit: float, kept: int
    ) -> Response | Outcome:
        token, timeout = "", self._timeout if limit == self._options.timeout else _timeout(limit)
        if self._tokens is not None:
            clock = asyncio.get_running_loop().time
            began = clock()
            try:
                async with asyncio.timeout(limit):
                    token = await self._tokens.get()
            except TimeoutError:
                return _failure("token", f"no token within {limit:g} s")
            except TokenError as error:
                return _failure("token", str(error))
            timeout = _timeout(limit - (clock() - began))
        answer = await self._exchange(url, message, self._headers(message, more, token), limit, timeout, kept)
        if token and self._tokens is not None and isinstance(answer, Response) and answer.status == 401:
            self._tokens.drop(token)
            return _failure("token", f"HTTP 401: the token was refused{answer.snippet}")
        return answer

    async def _exchange(
        self,
        url: str,
        message: Message,
        headers: dict[str, str],
        limit: float,
        timeout: aiohttp.ClientTimeout,
        kept: int,
    ) -> Response | Outcome:
        options = self._options
        more: dict[str, Any] = {} if options.tls is None else {"ssl": options.tls}
        try:
            async with self._session.request(
                options.method,
                url,
                data=message.body,
                headers=headers,
                allow_redirects=False,
                timeout=timeout,
                server_hostname=options.server_name,
                **more,
            ) as response:
                return await read(response, kept)
        # None of these may quote the URL, which can be a secret, and is not written here as the file or `env:` has it.
        except aiohttp.ConnectionTimeoutError:
            return _failure("connect", f"no connection to {urlsplit(url).netloc} within {min(CONNECT, limit):g} s")
        except TimeoutError:
            return _late(limit)
        except aiohttp.InvalidURL as error:
            return _failure("url", f"the target's URL cannot be called: {error.description or 'it is none'}")
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            return _failure("tls", f"no connection: {error}")
        except aiohttp.ClientConnectorError as error:
            if error.os_error.errno == REFUSED:
                return _failure("refused-address", f"refused to connect: {error.os_error.strerror}")
            where = f"{error.host}:{error.port}"
            return _failure("connect", f"no connection to {where}: {_why_not_connected(error.os_error)}")
        except (aiohttp.ClientError, OSError) as error:
            said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
            return _failure("broken", f"the connection failed: {type(error).__name__}: {said}")

    def _headers(self, message: Message, more: dict[str, str], token: str) -> dict[str, str]:
        seconds = self._options.now() // 1_000_000
        headers = {
            **more,
            **message.headers,
            "webhook-id": message.id,
            "idempotency-key": message.id,
            "webhook-timestamp": str(seconds),
        }
        if token or self._options.authorization:
            headers["authorization"] = f"Bearer {token}" if token else self._options.authorization
        if self._options.signer is not None:
            headers["webhook-signature"] = self._options.signer.sign(message.id, seconds, message.body)
        return headers

    def _outcome(self, answer: Response) -> Outcome:
        found = verdict(answer.status)
        result = {"status": answer.status, "body": answer.content}
        if found is Verdict.DONE:
            return Outcome(found, result=result, status=str(answer.status))
        wait = retry_after(answer.retry_after, self._options.now()) if found is Verdict.RETRY else None
        return Outcome(found, f"HTTP {answer.status}{answer.snippet}", result, wait, str(answer.status))


def _why_not_connected(error: OSError) -> str:
    """In the system's words: asyncio repeats addresses instead."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)  # the errors of names have numbers of their own


def _timeout(left: float) -> aiohttp.ClientTimeout:
    """Of so many seconds for all of a request."""
    left = max(left, 0.001)
    return aiohttp.ClientTimeout(left, sock_connect=min(CONNECT, left))


def _failure(status: str, reason: str) -> Outcome:
    return Outcome(FAILURES[status].verdict, reason, status=status)


def _late(limit: float) -> Outcome:
    return _failure("timeout", f"no answer within {limit:g} s")
