"""What one key may hold of things that wait, so that its state stays bounded (RULES.md §3, §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    matches: int = 1_000
    """Partial matches of a sequence. Beyond, the oldest is dropped and counted (`matches_capped|RULE`)."""


LIMITS: Final = Limits()
