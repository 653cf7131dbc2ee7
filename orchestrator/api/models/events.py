"""Events from outside: CloudEvents 1.0."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from orchestrator.api.models.common import Cursor, Limit, Moment, Next, Position
from orchestrator.api.route import Asked, Shown


class CloudEvent(Shown):
    """Further attributes are kept: strings, 32-bit integers and booleans with names of a-z and 0-9."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
                    {"type": "boolean"},
                    {"type": "null"},
                ]
            },
        },
    )

    id: str = Field(min_length=1)
    source: str = Field(min_length=1)
    type: str = Field(min_length=1, json_schema_extra={"pattern": r"^(?!orchestrator\.)"})
    specversion: Literal["1.0"] | None = "1.0"
    subject: str | None = Field(None, description="The key; by default the empty text.")
    time: Moment | None = Field(None, description="Now, if it is left out.")
    partitionkey: str | None = Field(None, description="Chooses the partition instead of `subject`.")
    datacontenttype: str | None = "application/json"
    data: Any = None


ONE: Final = {"$ref": "#/components/schemas/CloudEvent"}
MANY: Final = {"type": "array", "items": ONE}


class Accepted(Shown):
    accepted: int
    positions: list[Position]


class EventsQuery(Asked):
    partition: int | None = Field(None, ge=0, description="Only those of this partition.")
    type: str | None = Field(None, description="Only those of this type; control events only if it is one of theirs.")
    subject: str | None = Field(None, description="Only those of this subject.")
    since: Moment | None = Field(None, description="Only those whose time is not before.")
    until: Moment | None = Field(None, description="Only those whose time is before.")
    limit: Limit | None = Field(None, description="How many at most; 100, if it is left out. Not of a stream.")
    cursor: Cursor | None = Field(None, description="`next` of the page before. Not of a stream.")
    after: str | None = Field(
        None, description="Where a stream begins: positions, separated by commas. By default at the end of the log."
    )


class RecordedEvent(CloudEvent):
    position: Position
    type: str = Field(min_length=1, description="Also of what the server records itself: `orchestrator.…`.")


class Events(Shown):
    events: list[RecordedEvent]
    next: Next
    looked: int = Field(description="Events looked at, those that the filter left out among them.")
