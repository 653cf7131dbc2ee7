"""Talks to a server: one connection that is kept, JSON both ways, problems as `CommandFailed` with their exit status.

Requests are repeated only where the caller says so (`patient`): while the server restarts or asks to wait.
"""

from __future__ import annotations

import http.client
import time
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from orchestrator.cli.exits import CONFLICT, FAILED, NOT_FOUND, UNAVAILABLE, USAGE, CommandFailed

TIMEOUT: Final = 30.0
_STATUS: Final = {404: NOT_FOUND, 409: CONFLICT, 429: UNAVAILABLE, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: UNAVAILABLE}


class Refused(CommandFailed):
    """The server answered with a problem."""

    def __init__(self, http_status: int, document: dict[str, Any], retry_after: float) -> None:
        super().__init__(str(document.get("detail") or f"HTTP {http_status}"), _STATUS.get(http_status, FAILED))
        self.http_status = http_status
        self.document = document
        self.retry_after = retry_after


class Unreachable(CommandFailed):
    def __init__(self, url: str, error: Exception) -> None:
        super().__init__(
            f"{url} cannot be reached: {error}; is the server running? (--url, ORCHESTRATOR_URL)", UNAVAILABLE
        )


class Client:
    """Not for several threads at once. A context that closes the connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        if not parts.hostname:
            raise CommandFailed(f"--url={url}: write an address such as http://127.0.0.1:8000", USAGE)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
        self._prefix = parts.path.rstrip("/")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The decoded answer. Raises Refused and Unreachable."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = self._prefix + path + ("?" + urlencode(given) if given else "")
        sent = {"Content-Type": "application/json", **(headers or {})} if body is not None else headers or {}
        try:
            self._connection.request(method, target, body, sent)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unreachable(self.url, error) from error
        try:
            document = orjson.loads(text) if text else {}
        except orjson.JSONDecodeError:
            document = {"detail": f"HTTP {response.status} from {self.url}, which is no JSON: is it an orchestrator?"}
            raise Refused(response.status, document, 1.0) from None
        if response.status >= 400:
            after = response.headers.get("Retry-After", "")
            raise Refused(response.status, document, float(after) if after.isdigit() else 1.0)
        return document

    def patient(self, method: str, path: str, body: bytes | None = None, *, within: float, **more: Any) -> Any:
        """As `call`, repeated while the server is away or has no room, for at most `within` seconds."""
        until = time.monotonic() + within
        pause = 0.1
        while True:
            try:
                return self.call(method, path, body, **more)
            except Unreachable:
                if time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 2.0)
            except Refused as refused:
                if refused.http_status not in (429, 503) or time.monotonic() + refused.retry_after > until:
                    raise
                time.sleep(refused.retry_after)


def connect(url: str | None) -> Client:
    from orchestrator.settings import load

    return Client(load(url=url).url)


def segment(text: str) -> str:
    """One segment of a path."""
    return quote(text, safe="")
