"""What a worker and a server say to each other about commands, as JSON (docs/http.md). Pure."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from adapters import results
from adapters.work import Outcome

LONGEST_REASON: Final = 10_000
"""Characters, as of the two below: a server refuses more."""
LONGEST_STATUS: Final = 100
LONGEST_TOOK: Final = 1e6
_LONGEST_TIME: Final = 999_999


class Leased(msgspec.Struct, frozen=True):
    id: str
    token: str
    attempt: int
    deadline: str
    command: msgspec.Raw
    """The bytes as they came: the same at every attempt."""
    headers: dict[str, str] = {}
    timeout: float | None = None
    progress: msgspec.Raw = msgspec.Raw(b"")
    attempts_before: int = 0


class Leases(msgspec.Struct, frozen=True):
    commands: list[Leased]


class Answer(msgspec.Struct, frozen=True):
    """With `state`, or with `error` and `detail`."""

    id: str
    state: str | None = None
    error: str | None = None
    detail: str | None = None


class Answers(msgspec.Struct, frozen=True):
    answers: list[Answer]


class Problem(msgspec.Struct, frozen=True):
    detail: str = ""


def duration(seconds: float) -> str:
    """As the API reads it: rounded up, in the finest unit that has room for it."""
    if (millis := math.ceil(seconds * 1000)) <= _LONGEST_TIME:
        return f"{max(0, millis)}ms"
    return f"{min(math.ceil(seconds), _LONGEST_TIME)}s"


def said(id: str, token: str, outcome: Outcome) -> bytes:
    """One of the outcomes of a request."""
    found: dict[str, Any] = {"id": id, "token": token, "verdict": outcome.verdict.value}
    if outcome.reason:
        found["reason"] = results.clean(outcome.reason[:LONGEST_REASON])
    if outcome.status:
        found["status"] = results.clean(outcome.status[:LONGEST_STATUS])
    if outcome.retry_after is not None:
        found["retry_after"] = duration(outcome.retry_after)
    if outcome.took is not None:
        found["took"] = min(max(outcome.took, 0.0), LONGEST_TOOK)
    if outcome.result is not None:
        found["result"] = results.plain(outcome.result)
    if outcome.progress is not None:
        found["progress"] = results.plain(outcome.progress)
    return msgspec.json.encode(found)
