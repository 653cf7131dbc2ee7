"""Fields and models that several resources have."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from orchestrator.api.route import Shown

POSITION = r"[0-9]+\.[0-9]+\.[0-9]+"
MOST = 1_000
"""Items of one page, and ids of one request."""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""For an integer of a body, after its bounds: JSON knows one kind of number, 25.0 is 25."""
Position: TypeAlias = Annotated[str, Field(description="generation.partition.offset", pattern=f"^{POSITION}$")]
Moment: TypeAlias = Annotated[str, Field(description="RFC 3339, UTC", json_schema_extra={"format": "date-time"})]
Limit: TypeAlias = Annotated[int, Field(ge=1, le=MOST, description="How many at most.")]
Cursor: TypeAlias = Annotated[str, Field(description="`next` of the page before, unchanged.")]
Next: TypeAlias = Annotated[str | None, Field(description="The cursor of the next page; null after the last.")]


class Refusal(Shown):
    """An error, as RFC 9457 says."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str
    title: str
    status: int
    code: str = Field(description="What programs tell causes apart by; docs/errors.md has them all.")
    detail: str = Field(description="What is wrong, and what to do.")
