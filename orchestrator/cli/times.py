"""Times as users type them: RFC 3339, or how long ago."""

from __future__ import annotations

import time

from orchestrator.cli.exits import USAGE, CommandFailed
from streams import duration, rfc3339


def micros(flag: str, text: str | None) -> int | None:
    """RFC 3339 to microseconds. Raises CommandFailed that names the flag."""
    if text is None:
        return None
    try:
        return rfc3339.parse(text)
    except ValueError as error:
        raise CommandFailed(f"{flag}={text}: {error}", USAGE) from None


def moment(flag: str, text: str | None) -> str | None:
    """RFC 3339 as it is, `15m` as the time that was 15 minutes ago. Raises CommandFailed that names the flag."""
    if text is None:
        return None
    try:
        rfc3339.parse(text)
    except ValueError as error:
        try:
            ago = duration.parse(text)
        except ValueError:
            said = f"{flag}={text}: {error}; write 2025-01-06T10:00:00Z, or 15m for what was 15 minutes ago"
            raise CommandFailed(said, USAGE) from None
        return rfc3339.format(max(0, time.time_ns() // 1000 - ago))
    return text
