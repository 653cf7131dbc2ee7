"""Times as text: RFC 3339 in, RFC 3339 in UTC out, and microseconds since 1970 in between.

Intake parses one time per event, rule files and tools a few. All of RFC 3339 is read, with any offset, from year 1 to
9999 in UTC; digits beyond microseconds are cut. Refused are what readers of ISO 8601 would let pass beside it (week
dates, missing separators, 24:00) and leap seconds, which no count of microseconds since 1970 has. Pure functions; the
table of days is a bounded cache of one of them, safe to share between threads.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

MIN: Final = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z."""
MAX: Final = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z."""

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001
_ALL: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)
_MINUTES: Final = {f"{m // 60:02d}:{m % 60:02d}:": m * MINUTE for m in range(1440)}
_WHOLE: Final = {f"{s:02d}Z": s * SECOND for s in range(60)}
_PART: Final = {f"{s:02d}.": s * SECOND for s in range(60)}
_FRACTION: Final[dict[int, int]] = {22 + place: 10 ** (5 - place) for place in range(6)}
"""Length of the text → microseconds of a fraction's last digit."""
_days: dict[str, int] = {}
_MOST_DAYS: Final = 20_000


class TimeError(ValueError):
    """A text that is no time. The message is for whoever wrote it."""


def parse(text: str) -> int:
    """Microseconds since 1970-01-01T00:00:00Z. Raises TimeError."""
    # The common forms, in UTC with up to six digits, are put together from tables; a key that is not there sends the
    # text to `_parse`, which knows all forms and says what is wrong.
    length = len(text)
    try:
        if length == 20:
            return _days[text[:11]] + _MINUTES[text[11:17]] + _WHOLE[text[17:]]
        if 21 < length < 28 and text[-1] == "Z":
            fraction = text[20:-1]
            if fraction.isdigit() and fraction.isascii():
                whole = _days[text[:11]] + _MINUTES[text[11:17]] + _PART[text[17:20]]
                return whole + int(fraction) * _FRACTION[length]
    except KeyError:
        pass
    return _parse(text)


def _parse(text: str) -> int:
    found = _ALL.fullmatch(text)
    if found is None:
        raise TimeError(f"`{_shown(text)}` is no RFC 3339 time such as 2024-01-31T12:30:00Z")
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    if second == 60:
        raise TimeError(f"`{_shown(text)}` is a leap second, which cannot be counted: write second 59")
    if hour == 24:
        raise TimeError(f"`{_shown(text)}` is at 24:00: write 00:00 of the next day")
    try:
        start = (datetime(year, month, day).toordinal() - _EPOCH_ORDINAL) * DAY  # noqa: DTZ001
    except ValueError:
        raise TimeError(f"`{_shown(text)}` is a day that no calendar has, or beyond the years 0001 to 9999") from None
    if hour > 23 or minute > 59 or second > 59:
        raise TimeError(f"`{_shown(text)}` is a time that no clock shows")
    offset = 0
    if found[8] is not None:
        hours, minutes = int(found[9]), int(found[10])
        if hours > 23 or minutes > 59:
            raise TimeError(f"`{_shown(text)}` has an offset beyond ±23:59")
        offset = (hours * 60 + minutes) * MINUTE * (1 if found[8] == "+" else -1)
    elif text[10] == "T":
        if len(_days) >= _MOST_DAYS:
            _days.clear()
        _days[text[:11]] = start
    fraction = int((found[7] or "0")[:6].ljust(6, "0"))
    micros = start + hour * 60 * MINUTE + minute * MINUTE + second * SECOND + fraction - offset
    if not MIN <= micros <= MAX:
        raise TimeError(f"`{_shown(text)}` is beyond the years 0001 to 9999 in UTC")
    return micros


def format(micros: int) -> str:
    """RFC 3339 in UTC with `Z`; a fraction only where there is one, without trailing zeros.

    Raises OverflowError beyond the years 0001 to 9999."""
    if not MIN <= micros <= MAX:
        raise OverflowError(f"{micros} microseconds since 1970 lie beyond the years 0001 to 9999")
    moment = _EPOCH + timedelta(microseconds=micros)
    text = moment.isoformat()[:19]
    fraction = moment.microsecond
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else text + "Z"


def _shown(text: str) -> str:
    shown = text if len(text) <= 40 else text[:39] + "…"
    return "".join(c if c.isprintable() and c != "`" else "?" for c in shown)
