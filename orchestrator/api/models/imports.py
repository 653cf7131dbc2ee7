"""Imports of history."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.api.models.common import Moment
from orchestrator.api.route import Asked, Shown


class Import(Shown):
    digest: str
    state: Literal["open", "finishing", "failed", "finished"]
    reason: str | None = None
    next_line: int | None = None
    lines: int | None = None
    stored: int
    known: int
    ticks: int | None = None
    behind: int | None = Field(None, description="Events that are not evaluated.")
    lease: str | None = Field(None, description="Goes back in the header Import-Lease.")
    until: Moment | None = None


class LinesQuery(Asked):
    line: int = Field(ge=1, lt=10**15, description="add ?line=N, the number of the first line in the file, from 1")


class Sent(Shown):
    accepted: int
    latest: Moment | None
    stored: int
    known: int
    next_line: int


class Finish(Asked):
    until: Moment | None = Field(None, description="Every clock moves right after it.")
