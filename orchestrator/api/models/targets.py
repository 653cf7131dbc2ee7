"""Targets: what they are, what is sent to them now, and what waits for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.api.models.common import Moment
from orchestrator.api.route import Asked, Shown


class Breaker(Shown):
    state: Literal["closed", "open", "half_open", "off"]
    since: Moment | None = Field(description="When that began; null for always.")
    until: Moment | None = Field(description="When it is tried again, where it is open.")
    reason: str | None = Field(description="Of the attempt that opened it.")


class Paused(Shown):
    since: Moment
    reason: str


class Rate(Shown):
    limit: int
    per: float = Field(description="Seconds.")
    burst: float


class Retry(Shown):
    """Times in seconds."""

    initial: float
    factor: float
    max: float
    attempts: int
    elapsed: float


class Waiting(Shown):
    """Commands by state, as the query tables show them; those that ended otherwise are not counted."""

    pending: int
    in_flight: int
    retrying: int
    waiting: int
    parked: int


class Target(Shown):
    name: str
    kind: str
    deliver: Literal["here", "workers"] = Field(description="Whether servers deliver, or workers over HTTP.")
    timeout: float = Field(description="Seconds that an attempt may take.")
    concurrency: int
    batch: int = Field(description="Commands in one request, at most.")
    retry: Retry
    rate: Rate | None
    breaker: Breaker
    paused: Paused | None = Field(description="Since when nothing is sent, because people said so.")
    commands: Waiting


class Targets(Shown):
    targets: list[Target]


class Pause(Asked):
    reason: str = Field("paused by hand", min_length=1, max_length=1_000, description="For whoever asks why.")


class PausedNow(Shown):
    paused: bool
