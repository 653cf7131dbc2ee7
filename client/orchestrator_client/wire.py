"""Calls and answers as both clients send and read them. No network here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from orchestrator_client.errors import NotOurs, problem

DEFAULT_URL: Final = "http://127.0.0.1:8000"
GATEWAY: Final = (502, 503, 504)
"""Also what a proxy says while the server behind it restarts."""


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    """Behind the address of the server, percent-encoded."""
    query: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    again: bool = True
    """It may be repeated when its answer was lost."""
    waits: bool = False
    """It asks for a position, and 504 is the answer."""

    @property
    def target(self) -> str:
        return self.path + ("?" + urlencode(self.query) if self.query else "")


def address(url: str) -> str:
    """Without a slash at its end. Raises ValueError."""
    try:
        _check(url)
    except ValueError as error:
        raise ValueError(f"{url}: {error}; write an address such as {DEFAULT_URL}") from None
    return url.rstrip("/")


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it begins neither with http:// nor with https://")
    if not parts.hostname:
        raise ValueError("it names no host")
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise ValueError("it holds what no address of a server does")
    if parts.port == 0:
        raise ValueError("port 0 is none")


def segment(text: str) -> str:
    """One segment of a path. Dots, too, or `..` would be the way up. Raises ValueError for lone surrogates."""
    found = quote(text, safe="")
    return found.replace(".", "%2E") if found in (".", "..") else found


def query(given: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Without what is None. Booleans and numbers as in JSON, times with their offset."""
    return [(name, _written(value)) for name, value in given if value is not None]


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value)


def read(url: str, call: Call, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """The object that the server answered. Raises Problem and NotOurs."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    ours = isinstance(document, dict) and (status < 300 or (status >= 400 and "detail" in document))
    if not ours:
        if status in GATEWAY or status == 429:
            raise problem(status, {"detail": f"{url} gave HTTP {status}"}, retry_after(headers), waited=False)
        raise NotOurs(url, f"HTTP {status} and no answer of ours")
    assert isinstance(document, dict)
    if status >= 400:
        error = problem(status, document, retry_after(headers), call.waits)
        error.request_id = headers.get("X-Request-Id")
        raise error
    return document


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; the header holds them, or a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
