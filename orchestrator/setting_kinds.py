"""How settings are written: durations, paths, words; in flags and variables they are text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from streams import duration


def _seconds(value: Any) -> Any:
    """Text such as `10s` or `500ms`; a bare number is seconds."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return duration.parse(value) / 1e6
    return value


def _paths(value: Any) -> Any:
    """One text holds paths as PATH does."""
    if isinstance(value, str):
        return [part for part in value.split(os.pathsep) if part]
    return value


def words(value: Any) -> Any:
    """One text holds words, separated by commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)]
