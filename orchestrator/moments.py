"""Moments as people write them: RFC 3339, or how long ago. Pure."""

from __future__ import annotations

from streams import duration, rfc3339


def read_moment(text: str, now: int) -> int:
    """Microseconds since 1970: `15m` is what was 15 minutes before `now`. Raises ValueError, which says how it is
    written."""
    try:
        return rfc3339.parse(text)
    except ValueError as error:
        try:
            return max(0, now - duration.parse(text))
        except ValueError:
            raise ValueError(f"{error}; write 2025-01-06T10:00:00Z, or 15m for what was 15 minutes ago") from None
