"""Times as users type them: RFC 3339, or how long ago."""

from __future__ import annotations

import time

from orchestrator.cli.exits import USAGE, CommandFailed
from orchestrator.moments import read_moment
from streams import rfc3339


def micros(flag: str, text: str | None) -> int | None:
    """RFC 3339 to microseconds. Raises CommandFailed that names the flag."""
    if text is None:
        return None
    try:
        return rfc3339.parse(text)
    except ValueError as error:
        raise CommandFailed(f"{flag}={text}: {error}", USAGE) from None


def moment(flag: str, text: str | None) -> str | None:
    """The same moment in RFC 3339. Raises CommandFailed that names the flag."""
    if text is None:
        return None
    try:
        return rfc3339.format(read_moment(text, time.time_ns() // 1000))
    except ValueError as error:
        raise CommandFailed(f"{flag}={text}: {error}", USAGE) from None
