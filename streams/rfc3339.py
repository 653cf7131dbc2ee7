"""Times as text: RFC 3339 in, microseconds since 1970-01-01T00:00:00Z out, and back.

Everything that reads or writes a time as text uses these two functions, so a time means the same at every door. Pure.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORM: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,64}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)
_convert = msgspec.convert


def parse(text: str) -> int:
    """Microseconds since 1970; digits beyond microseconds are cut. ValueError for what is no RFC 3339 date and time
    with an offset, or lies outside the years 1 to 9999; leap seconds are refused."""
    try:
        # msgspec reads the common form in C. It is laxer about others, and rounds where we cut.
        if len(text) > 27 or text[10] != "T" or text[-1] != "Z":
            return _parse_carefully(text)
        past = _convert(text, datetime) - _EPOCH
    except (msgspec.ValidationError, IndexError):
        return _parse_carefully(text)
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def _parse_carefully(text: str) -> int:
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text[:40]}` is not an RFC 3339 time such as 2024-01-31T12:30:00Z")
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    try:
        moment = datetime(year, month, day, hour, minute, second, int((found[7] or "0")[:6].ljust(6, "0")), UTC)
        if found[8]:
            if int(found[9]) > 23 or int(found[10]) > 59:
                raise ValueError
            offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
            moment += -offset if found[8] == "+" else offset
    except (ValueError, OverflowError):
        raise ValueError(f"`{text[:40]}` is no moment between the years 1 and 9999") from None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def format(micros: int) -> str:
    """RFC 3339 in UTC with `Z`, and a fraction only where there is one. OverflowError outside the years 1 to 9999."""
    moment = _EPOCH + timedelta(microseconds=micros)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}{fraction}Z"
