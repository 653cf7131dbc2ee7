"""Partitions, as people look at them."""

from __future__ import annotations

from pydantic import Field

from orchestrator.api.models.common import Moment, Position
from orchestrator.api.route import Shown


class Partition(Shown):
    partition: int
    owner: str | None
    position: Position
    tail: Position
    lag: int = Field(description="Events that are not evaluated.")
    clock: Moment | None = Field(description="Of its last tick.")
    state: str
    reason: str | None
    blocked_keys: int
    not_evaluated: dict[str, str] | None = Field(
        description="By rule, why it was last not evaluated; null where another process evaluates."
    )
    last_progress: Moment | None
    undelivered: int = Field(description="Commands, counted up to 1,000.")
    shown: bool = Field(description="Whether the query tables show all that is committed.")


class Partitions(Shown):
    partitions: list[Partition]
