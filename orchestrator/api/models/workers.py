"""Workers elsewhere, as they were heard of."""

from __future__ import annotations

from pydantic import Field

from orchestrator.api.models.common import Moment
from orchestrator.api.route import Shown


class Worker(Shown):
    name: str = Field(description="As it calls itself; else its address.")
    targets: list[str] = Field(description="Of which it asked for work.")
    last_seen: Moment
    in_flight: int = Field(description="Commands that it holds.")
    leased: int = Field(description="Commands that it was given since it was first heard of.")
    done: int
    failed: int = Field(description="Attempts that ended with `retry` or `final`, and leases that ran out.")
    failure_rate: float | None = Field(description="`failed` of all that ended, from 0 to 1; null if none did.")


class Workers(Shown):
    workers: list[Worker] = Field(description="By name.")
