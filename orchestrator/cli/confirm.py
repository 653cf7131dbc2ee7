"""Asks before what cannot be taken back."""

from __future__ import annotations

import sys


def confirmed(question: str) -> bool:
    """False without a terminal to ask at."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
