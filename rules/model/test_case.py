"""One test of a rule file: given events, until a time, expect exactly these commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.model.source import Span


@dataclass(frozen=True, slots=True)
class TestCase:
    __test__ = False  # no test of ours, whatever pytest thinks of the name

    name: str
    given: tuple[dict[str, Any], ...]
    """CloudEvents as written, `id` and `source` filled in by position."""
    until: int | None
    """Microseconds since 1970; None: the greatest time given."""
    expect: tuple[dict[str, Any], ...]
    """Commands, each compared on the fields it names. `at` is RFC 3339 text in UTC."""
    span: Span
