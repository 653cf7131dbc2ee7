"""Keys that are blocked behind a parked event."""

from __future__ import annotations

from pydantic import Field

from orchestrator.api.models.common import Cursor, Limit, Moment, Next, Position
from orchestrator.api.models.events import RecordedEvent
from orchestrator.api.route import Asked, Shown


class BlockedQuery(Asked):
    key: str | None = Field(None, description="Only this one, with its event whole.")
    limit: Limit = 100
    cursor: Cursor = ""


class ParkedEvent(Shown):
    position: Position
    id: str
    source: str
    type: str
    time: Moment


class BlockedKey(Shown):
    key: str
    partition: int
    reason: str
    waiting: int = Field(description="Events that wait behind the parked one.")
    freed: int
    event: ParkedEvent | RecordedEvent | None = Field(description="Whole, if one key was asked for.")


class BlockedKeys(Shown):
    keys: list[BlockedKey]
    next: Next


class Key(Asked):
    key: str = Field(description="send the key as `GET /v1/keys/blocked` shows it")


class Freed(Shown):
    key: str
    action: str
    position: Position
