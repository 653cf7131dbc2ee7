"""Durations as text: `500ms`, `10s`, `1h30m`, `60d`, as rule files and the targets file write them. Pure."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_PART: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,6}))?(us|ms|s|m|h|d|w)", re.ASCII)
LONGEST: Final = 315_576_000_000 * 1_000_000
"""10,000 years, the longest duration that CEL knows."""


def parse(text: str) -> int:
    """Microseconds, never negative; what lies beyond microseconds is cut. Each unit at most once, largest first:
    `w d h m s ms us`. Raises ValueError."""
    micros = place = 0
    last = None
    while place < len(text):
        found = _PART.match(text, place)
        if found is None or (last is not None and _UNITS[found[3]] >= last):
            break
        last = _UNITS[found[3]]
        fraction = found[2] or ""
        micros += int(found[1] + fraction) * last // 10 ** len(fraction)
        place = found.end()
    if not text or place < len(text):
        raise ValueError(f"`{text[:40]}` is not a duration such as 500ms, 10s, 1h30m or 60d")
    if micros > LONGEST:
        raise ValueError(f"`{text[:40]}` is longer than 10,000 years")
    return micros


def format(micros: int) -> str:
    """The text that `parse` takes for it, in at most days: `60d`, `1h30m`."""
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms", "us"):
        whole, micros = divmod(micros, _UNITS[unit])
        if whole:
            parts.append(f"{whole}{unit}")
    return "".join(parts) or "0s"
