"""Talks to a server through `orchestrator_client`: its errors become `CommandFailed` with their exit status.

Requests are repeated only where the caller says so (`patient`): while the server restarts or asks to wait. httpx, which
is half of what a command loads, is loaded when there is a server to talk to, and not for `--help`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from orchestrator.cli.exits import CONFLICT, FAILED, NOT_FOUND, UNAVAILABLE, USAGE, CommandFailed

if TYPE_CHECKING:
    from orchestrator_client import Followed, Retry, Row, Watched

_STATUS: Final = {404: NOT_FOUND, 409: CONFLICT, 429: UNAVAILABLE, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: UNAVAILABLE}
_LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts: who waits at a terminal wants to go on soon after the server is back."""


class Refused(CommandFailed):
    """The server answered with a problem."""

    def __init__(self, http_status: int, document: dict[str, Any], retry_after: float) -> None:
        super().__init__(str(document.get("detail") or f"HTTP {http_status}"), _STATUS.get(http_status, FAILED))
        self.http_status = http_status
        self.document = document
        self.retry_after = retry_after


class Unreachable(CommandFailed):
    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url} cannot be reached: {reason}; is the server running? (--url, ORCHESTRATOR_URL)", UNAVAILABLE
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
        import httpx

        import orchestrator_client
        from orchestrator_client.client import trust

        self.url = url
        try:
            # Proxies of the environment are for the world outside; a server of ours is next door.
            http = httpx.Client(verify=trust(url), trust_env=False)
            self._client = orchestrator_client.Client(url, http=http)
        except ValueError as error:
            raise CommandFailed(f"--url={error}", USAGE) from None
        self._http = http

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def call(self, method: str, path: str, body: bytes | None = None, **more: Any) -> Any:
        """The decoded answer. Raises Refused, Unreachable and Stranger."""
        from orchestrator_client import ONCE

        return self._request(ONCE, method, path, body, **more)

    def patient(self, method: str, path: str, body: bytes | None = None, *, within: float, **more: Any) -> Any:
        """As `call`, repeated while the server is away or has no room, for at most `within` seconds."""
        from orchestrator_client import Retry

        return self._request(Retry(within=within, most=_LONGEST_PAUSE), method, path, body, **more)

    def follow(self, after: str | None, filters: dict[str, Any]) -> Iterator[Followed]:
        """Events as they come, over lost connections. Raises what `call` raises, Unreachable if nobody is there for
        minutes."""
        for name, value in (filters | {"after": after}).items():
            _check_text(f"--{name}", value)
        with _failures():
            yield from self._client.follow(after=after, **filters)

    def watch(self, name: str, key: str) -> Iterator[Row]:
        """The row, and again whenever it changes. As `follow`."""
        _check_text("the argument", name + key)
        with _failures():
            yield from self._client.watch(name, key)

    def watch_rows(self, name: str, where: dict[str, str], sort: str | None, limit: int) -> Iterator[Watched]:
        """The list, and again whenever it changes. As `follow`."""
        _check_text("the argument", f"{name}{where}{sort}")
        with _failures():
            yield from self._client.watch_rows(name, where, sort=sort, limit=limit)

    def _request(
        self,
        retry: Retry,
        method: str,
        path: str,
        body: bytes | None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        for name, value in (query or {}).items():
            _check_text(f"--{name}", value)
        sent = {"Content-Type": "application/json", **(headers or {})} if body is not None else headers
        with _failures():
            found = self._client.request(method, path, asked=query, body=body, headers=sent, retry=retry)
        return Answer(self.url, found)


@contextmanager
def _failures() -> Iterator[None]:
    """Errors of the client as those of a command."""
    import orchestrator_client as client

    try:
        yield
    except client.Problem as error:
        raise Refused(error.status, error.document, 1.0 if error.retry_after is None else error.retry_after) from error
    except client.Unreachable as error:
        raise Unreachable(error.url, error.reason) from error
    except client.NotOurs as error:
        raise Stranger(error.url, error.what) from error


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
