"""How this process is."""

from __future__ import annotations

from typing import Literal

from orchestrator.api.route import Shown


class Health(Shown):
    status: Literal["ok", "degraded", "failing"]
    problems: list[str]


class Ready(Shown):
    ready: bool
    waiting_for: list[str]
