"""The parts of a trace. Each node is one thing that happened; `then` is what followed from it, in order."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Kind = Literal[
    "event",
    "derived",
    "forwarded",
    "result",
    "fallback",
    "tick",
    "control",
    "command",
    "parked",
    "skipped",
    "looped",
    "blocked",
]


class Node(msgspec.Struct):
    kind: Kind
    id: str
    """Of the event or the command."""
    key: str
    at: str | None
    """RFC 3339: of events their time, of commands the firing time."""
    what: str
    """The type of the event, or the name of the command."""
    position: str | None = None
    """Where it stands in the log, if it does and was found."""
    source: str | None = None
    rule: str | None = None
    """What decided a command, or emitted an event."""
    to: str | None = None
    state: str | None = None
    attempts: int | None = None
    history: list[dict[str, Any]] = []
    """Of a command its attempts, as the ledger shows them."""
    reason: str | None = None
    """Why it was parked, skipped, or the last attempt failed."""
    data: Any = None
    """Of events their data, of commands their arguments."""
    asked: bool = False
    """This is what the question was about."""
    then: list[Node] = []
    note: str | None = None
    """What of it could not be found out."""


class Trace(msgspec.Struct):
    id: str
    """What was asked for."""
    roots: list[Node]
    looked: int
    """Events of the log that were looked at."""
    complete: bool
    """False: looking ended at its bound, and there may be more."""
