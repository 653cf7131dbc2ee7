"""Rows of projections."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from orchestrator.api.models.common import Cursor, Limit, Next, Position
from orchestrator.api.models.positions import MinPosition
from orchestrator.api.route import Asked, Shown


class RowsQuery(Asked):
    """Other parameters are filters: `field=value`, `field__gt=value` and so on, of the projection's indexed fields."""

    model_config = ConfigDict(extra="allow")

    sort: str | None = Field(None, description="An indexed field or `key`; `-` before it for the last first.")
    limit: Limit = 100
    cursor: Cursor | None = Field(None, description="`next` of the page before, unchanged. Not of a stream.")
    min_position: MinPosition = None


class RowQuery(Asked):
    min_position: MinPosition = None


class Row(Shown):
    key: str
    row: dict[str, Any]
    as_of: Position


class ListedRow(Shown):
    key: str
    row: dict[str, Any]


class Rows(Shown):
    rows: list[ListedRow]
    next: Next
    as_of: list[Position] = Field(
        description="Of each partition: all up to there is in the answer, and nothing beyond."
    )


class Projection(Shown):
    name: str
    fields: dict[str, str] = Field(
        description="Field → number, integer, string, boolean, null, list, map or any, as far as the rules say."
    )
    index: list[str] = Field(description="Fields that lists filter and sort by, beside the key.")
    rows: int
    lag: int = Field(description="Events of the log, over all partitions, that the rows do not show yet.")


class Projections(Shown):
    projections: list[Projection]
