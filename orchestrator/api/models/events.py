"""Events from outside: CloudEvents 1.0."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from orchestrator.api.models.common import Moment, Position
from orchestrator.api.route import Shown


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
