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


GATEWAY: Final = (502, 503, 504)
"""Also what a proxy says while the server behind it restarts."""


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


class Answer(dict[str, Any]):
    """What a server answered. A member that is missing means that it is another kind of server."""

    def __init__(self, url: str, document: dict[str, Any]) -> None:
        super().__init__(document)
        self._url = url

    def __missing__(self, name: str) -> Any:
        raise Stranger(self._url, f"an answer without `{name}`")


class Stranger(CommandFailed):
    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{url} gave {what}: is it an orchestrator? (--url, ORCHESTRATOR_URL)", UNAVAILABLE)


class Client:
    """Not for several threads at once. A context that closes the connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            parts = urlsplit(url)
            if not parts.hostname:
                raise ValueError("it names no host")
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
        except (ValueError, http.client.InvalidURL) as error:
            raise CommandFailed(
                f"--url={url}: {error}; write an address such as http://127.0.0.1:8000", USAGE
            ) from None
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
        """The decoded answer. Raises Refused, Unreachable and Stranger."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        for name, value in given.items():
            _check_text(f"--{name}", value)
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
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict) or (response.status >= 400 and "detail" not in document):
            if response.status in GATEWAY:
                raise Refused(response.status, {"detail": f"{self.url} gave HTTP {response.status}"}, 1.0)
            raise Stranger(self.url, f"HTTP {response.status} and no answer of ours")
        if response.status >= 400:
            after = response.headers.get("Retry-After", "")
            raise Refused(response.status, document, float(after) if after.isdigit() else 1.0)
        return Answer(self.url, document)

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
                if refused.http_status not in (429, *GATEWAY) or time.monotonic() + refused.retry_after > until:
                    raise
                time.sleep(refused.retry_after)


def connect(url: str | None) -> Client:
    from orchestrator.settings import load

    return Client(load(url=url).url)


def segment(text: str) -> str:
    """One segment of a path. Raises CommandFailed."""
    _check_text("the argument", text)
    return quote(text, safe="")


def body(document: Any) -> bytes:
    """JSON of arguments. Raises CommandFailed."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError as error:
        raise CommandFailed(f"the arguments are not valid Unicode ({error})", USAGE) from None


def _check_text(what: str, value: Any) -> None:
    """Arguments that are no UTF-8 come as lone surrogates. Raises CommandFailed."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise CommandFailed(f"{what} {str(value)!r} is not valid Unicode", USAGE) from None
