"""Traces: what caused what."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from orchestrator.api.models.commands import Attempt
from orchestrator.api.models.common import Moment, Position
from orchestrator.api.route import Asked, Shown
from orchestrator.trace.nodes import Kind


class TraceQuery(Asked):
    source: str | None = Field(None, description="Of the event, where several have this id.")
    what: Literal["event", "command", "key"] | None = Field(
        None, description="What the id is of; whichever there is, in the order command, event, key."
    )


class TraceNode(Shown):
    """One thing that happened."""

    kind: Kind
    id: str
    key: str
    at: Moment | None
    what: str = Field(description="The type of an event, the name of a command.")
    position: Position | None
    source: str | None
    rule: str | None = Field(description="What decided a command, or emitted an event.")
    to: str | None
    state: str | None
    attempts: int | None
    history: list[Attempt] = Field(description="Of a command its attempts.")
    reason: str | None = Field(description="Why it was parked or skipped, or its last attempt failed.")
    data: Any = Field(description="Of an event its data, of a command its arguments.")
    asked: bool = Field(description="The question was about this.")
    then: list[TraceNode] = Field(description="What followed from it, in order.")
    note: str | None = Field(description="What of it could not be found out.")


class Trace(Shown):
    id: str
    roots: list[TraceNode] = Field(description="Where it began, newest first.")
    looked: int = Field(description="Events of the log that were looked at.")
    complete: bool = Field(description="False: looking ended at its bound, and there may be more.")
