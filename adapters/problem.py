"""What is wrong with a targets file, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """Line and column count from 1. Never quotes a secret."""

    severity: Literal["error", "warning"]
    message: str
    file: str
    line: int
    column: int
    hint: str | None = None
    """What to do, where the message does not say it."""

    @property
    def said(self) -> str:
        """On one line, as a server says it that does not start."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}" + (f": {self.hint}" if self.hint else "")
