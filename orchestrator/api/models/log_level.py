"""How much is logged."""

from __future__ import annotations

from typing import Any

from pydantic import Field, create_model

from orchestrator.api.models.common import Moment
from orchestrator.api.route import Asked, Shown
from orchestrator.settings import LogLevel

LONGEST = 86_400.0
"""Seconds."""

# `for` is a word of Python, so its field cannot be written in a class.
_FIELDS: Any = {
    "level": (LogLevel, Field(description="debug, info, warning or error")),
    "for": (
        float | None,
        Field(default=None, gt=0, le=LONGEST, description="Seconds; then it is as configured again."),
    ),
}
Chosen: type[Asked] = create_model("Chosen", __base__=Asked, **_FIELDS)


class Level(Shown):
    level: LogLevel
    configured: LogLevel = Field(description="LOG_LEVEL, as it was at start.")
    until: Moment | None = Field(description="When it is as configured again; null: not by itself.")
