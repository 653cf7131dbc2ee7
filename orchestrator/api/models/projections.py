"""Rows of projections."""

from __future__ import annotations

from typing import Any

from orchestrator.api.models.common import Position
from orchestrator.api.route import Shown


class Row(Shown):
    key: str
    row: dict[str, Any]
    as_of: Position
