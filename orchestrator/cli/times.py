"""Times as users type them."""

from __future__ import annotations

from orchestrator.cli.exits import USAGE, CommandFailed
from streams import rfc3339


def micros(flag: str, text: str | None) -> int | None:
    """RFC 3339 to microseconds. Raises CommandFailed that names the flag."""
    if text is None:
        return None
    try:
        return rfc3339.parse(text)
    except ValueError as error:
        raise CommandFailed(f"{flag}={text}: {error}", USAGE) from None
