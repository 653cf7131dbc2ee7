"""What an HTTP status means for a command: done, to be tried again, or final. Pure."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from adapters.work import Verdict

RETRIED: Final = frozenset((408, 425, 429))
"""Request Timeout, Too Early, Too Many Requests: the request itself is not at fault."""


def verdict(status: int) -> Verdict:
    """Redirects are not followed, so a 3xx is final as other answers are."""
    if 200 <= status < 300:
        return Verdict.DONE
    if status in RETRIED or 500 <= status < 600:
        return Verdict.RETRY
    return Verdict.FINAL


def retry_after(header: str | None, now: int) -> float | None:
    """Seconds from a Retry-After header, a number or an HTTP date; None for none and for what is neither. `now` in
    microseconds."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:18])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now / 1e6)
