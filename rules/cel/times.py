"""Timestamps and durations: their texts, their bounds, their calendar.

A timestamp is an aware `datetime` of UTC, from year 1 to 9999 in microseconds; a duration is a `timedelta` of at most
10,000 years. Time zones come from the `tzdata` package and never from the machine, so an accessor answers the same
everywhere; a zone's name is looked up in that package's own list before anything is opened. The only error is
`CelEvaluationError`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from rules.cel.errors import CelEvaluationError

MAX_DURATION = timedelta(seconds=315_576_000_000)
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,64}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)
_PART = re.compile(r"([0-9]{0,18})(?:\.([0-9]{0,64}))?(ns|us|µs|μs|ms|s|m|h|d|w)", re.ASCII)
_OFFSET = re.compile(r"([+-]?)([0-9]{2}):([0-9]{2})", re.ASCII)
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
    "w": 604_800 * 10**9,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def utc(value: datetime) -> datetime:
    """The same moment in UTC. Two moments of one other zone must not be compared as wall clocks, as Python would."""
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise CelEvaluationError("a timestamp has no time zone")
    try:
        return value.astimezone(UTC)
    except Exception:  # out of range, or whatever a foreign tzinfo raises
        raise CelEvaluationError("a timestamp has no moment in UTC") from None


def timestamp(text: str) -> datetime:
    """RFC 3339; digits beyond microseconds are cut."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise CelEvaluationError(f"`{text[:40]}` is not a timestamp such as 2024-01-31T12:30:00Z")
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    micros = int((found[7] or "0")[:6].ljust(6, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, second, micros, UTC)
        if found[8]:
            if int(found[9]) > 23 or int(found[10]) > 59:
                raise ValueError
            offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
            moment += -offset if found[8] == "+" else offset
    except (ValueError, OverflowError):
        raise CelEvaluationError(f"`{text[:40]}` is not a moment between the years 1 and 9999") from None
    return moment


def from_epoch(seconds: int | float) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise CelEvaluationError("the timestamp is out of range") from None


def to_epoch(moment: datetime) -> int:
    """Whole seconds since 1970, the earlier one of two, as in CEL."""
    return (utc(moment) - _EPOCH) // timedelta(seconds=1)


def duration(text: str) -> timedelta:
    """`1h30m`, `-1.5s`, `2d`, `1w`, `0`; what is finer than a microsecond is cut."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text[1:] if text[:1] == "+" else text)
    if rest == "0":
        return timedelta()
    position = nanos = 0
    while position < len(rest) and position < 200:
        found = _PART.match(rest, position)
        if found is None or not (found[1] or found[2]):
            break
        unit = _NANOSECONDS[found[3]]
        fraction = found[2] or ""
        nanos += int(found[1] or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
        position = found.end()
    if position == 0 or position < len(rest):
        raise CelEvaluationError(f"`{text[:40]}` is not a duration such as 1h30m")
    try:
        return bounded(timedelta(microseconds=sign * (nanos // 1000)))
    except OverflowError:
        raise CelEvaluationError("the duration is out of range") from None


def bounded(span: timedelta) -> timedelta:
    if -MAX_DURATION <= span <= MAX_DURATION:
        return span
    raise CelEvaluationError("the duration is out of range")


def shift(moment: datetime, span: timedelta) -> datetime:
    try:
        return utc(moment) + span
    except OverflowError:
        raise CelEvaluationError("the timestamp is out of range") from None


def timestamp_text(moment: datetime) -> str:
    """RFC 3339 in UTC, a fraction only where there is one."""
    moment = utc(moment)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}{fraction}Z"


def duration_text(span: timedelta) -> str:
    """Seconds, a fraction only where there is one."""
    micros = span // _MICROSECOND
    seconds, micros = divmod(abs(micros), 1_000_000)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{'-' if span < timedelta() else ''}{seconds}{fraction}s"


@cache
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


@cache
def _zone(name: str) -> tzinfo:
    resource = files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with resource.open("rb") as data:
        return ZoneInfo.from_file(data, name)


def zone(name: str) -> tzinfo:
    """An IANA name of the tzdata package, or an offset `±HH:MM`."""
    found = _OFFSET.fullmatch(name)
    if found is not None and int(found[2]) < 24 and int(found[3]) < 60:
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    if name == "UTC":
        return UTC
    if name not in _zones():
        raise CelEvaluationError(f"unknown time zone `{name[:40]}`")
    return _zone(name)


def _local(moment: datetime, name: str | None) -> datetime:
    moment = utc(moment)
    if name is None:
        return moment
    try:
        return moment.astimezone(zone(name))
    except (OverflowError, ValueError):
        raise CelEvaluationError("the timestamp is out of range in that time zone") from None


def _whole(span: timedelta, micros: int) -> int:
    total = span // _MICROSECOND
    return total // micros if total >= 0 else -(-total // micros)


CALENDAR = {
    "getFullYear": lambda t: t.year,
    "getMonth": lambda t: t.month - 1,
    "getDate": lambda t: t.day,
    "getDayOfMonth": lambda t: t.day - 1,
    "getDayOfWeek": lambda t: t.isoweekday() % 7,
    "getDayOfYear": lambda t: t.timetuple().tm_yday - 1,
    "getHours": lambda t: t.hour,
    "getMinutes": lambda t: t.minute,
    "getSeconds": lambda t: t.second,
    "getMilliseconds": lambda t: t.microsecond // 1000,
}
WHOLE = {"getHours": 3_600_000_000, "getMinutes": 60_000_000, "getSeconds": 1_000_000, "getMilliseconds": 1_000}


def part(name: str, value: datetime | timedelta, zone_name: str | None) -> int:
    """What an accessor such as `getHours` answers: of a timestamp its part, of a duration the whole units in all.

    CEL makes one exception: the milliseconds of a duration are those beyond its whole seconds.
    """
    if isinstance(value, datetime):
        return int(CALENDAR[name](_local(value, zone_name)))
    if name not in WHOLE:
        raise CelEvaluationError(f"a duration has no `{name}`")
    if zone_name is not None:
        raise CelEvaluationError("a duration has no time zone")
    whole = _whole(value, WHOLE[name])
    return int(math.fmod(whole, 1000)) if name == "getMilliseconds" else whole
