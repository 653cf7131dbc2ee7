"""Times are read as RFC 3339 says, and written in one form."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

moments = st.integers(rfc3339.MIN, rfc3339.MAX)
offsets = st.integers(-1439, 1439)


def datetime_of(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


@given(moments)
def test_what_is_written_is_read_again(micros: int) -> None:
    text = rfc3339.format(micros)
    assert rfc3339.parse(text) == micros
    assert datetime.fromisoformat(text) == datetime_of(micros)


@given(moments)
def test_a_second_reading_gives_the_same_as_the_first(micros: int) -> None:
    text = rfc3339.format(micros)
    assert rfc3339.parse(text) == rfc3339.parse(text) == micros


@given(st.datetimes(), offsets, st.sampled_from([0, 1, 3, 6, 9]))
def test_any_offset_and_any_number_of_digits_is_the_same_moment_as_for_datetime(
    local: datetime, minutes: int, digits: int
) -> None:
    cut = local.replace(microsecond=local.microsecond // 10 ** max(0, 6 - digits) * 10 ** max(0, 6 - digits))
    sign = "-" if minutes < 0 else "+"
    fraction = f".{f'{cut.microsecond:06d}000'[:digits]}" if digits else ""
    text = f"{cut.isoformat()[:19]}{fraction}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    zone = timezone(timedelta(minutes=minutes))
    naive = (cut.replace(tzinfo=UTC) - EPOCH) // MICROSECOND - minutes * 60_000_000
    if rfc3339.MIN <= naive <= rfc3339.MAX:
        assert rfc3339.parse(text) == (cut.replace(tzinfo=zone) - EPOCH) // MICROSECOND
    else:
        with pytest.raises(rfc3339.TimeError, match="0001 to 9999"):
            rfc3339.parse(text)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}.{0,12}"))
def test_any_text_is_a_time_or_a_time_error(text: str) -> None:
    try:
        micros = rfc3339.parse(text)
    except rfc3339.TimeError:
        return
    assert rfc3339.MIN <= micros <= rfc3339.MAX
    assert rfc3339.parse(rfc3339.format(micros)) == micros


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2007-03-16T00:00:00Z", "2007-03-16T00:00:00Z"),
        ("2007-03-16t00:00:00z", "2007-03-16T00:00:00Z"),
        ("2007-03-16T00:00:00.5Z", "2007-03-16T00:00:00.5Z"),
        ("2007-03-16T00:00:00.000000Z", "2007-03-16T00:00:00Z"),
        ("2007-03-16T00:00:00.123456999Z", "2007-03-16T00:00:00.123456Z"),
        ("2007-03-16T00:00:00-00:00", "2007-03-16T00:00:00Z"),
        ("2007-03-16T01:30:00+01:30", "2007-03-16T00:00:00Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"),
    ],
)
def test_forms_that_are_read(text: str, written: str) -> None:
    for _ in range(2):
        assert rfc3339.format(rfc3339.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2007-03-16",
        "2007-03-16T00:00:00",
        "2007-03-16 00:00:00Z",
        "2007-03-16T00:00Z",
        "20070316T000000.000Z",
        "2007-W11-5T00:00:00Z",
        "2007-03-16T24:00:00Z",
        "2007-03-16T23:59:60Z",
        "2007-03-16T25:00:00Z",
        "2007-03-16T00:60:00Z",
        "2007-02-29T00:00:00Z",
        "2007-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2007-03-16T00:00:00.Z",
        "2007-03-16T00:00:00.",
        "2007-03-16T00:00:00Z5Z",
        "2007-03-16T00:00:00,5Z",
        "2007-03-16T00:00:00+0100",
        "2007-03-16T00:00:00+01:60",
        "2007-03-16T00:00:00+24:00",
        "2007-03-16T00:00:00+01:00:30",
        "2007-03-16T00:00:00ZZ",
        " 2007-03-16T00:00:00Z",
        "2007-03-16T00:00:00Z\n",
        "2007-03-16T00:00:0٣Z",
        "2007-03-16T00:00:00.٣Z",
        "2007-03-16T00:00:00.+1Z",
        "2007-03-16T00:00:00.1_0Z",
    ],
)
def test_forms_that_are_refused_also_on_a_day_that_was_read_before(text: str) -> None:
    rfc3339.parse("2007-03-16T00:00:00Z")
    with pytest.raises(rfc3339.TimeError) as raised:
        rfc3339.parse(text)
    assert str(raised.value).count("`") == 2


@pytest.mark.parametrize("micros", [rfc3339.MIN - 1, rfc3339.MAX + 1])
def test_what_has_no_year_of_four_digits_is_not_written(micros: int) -> None:
    with pytest.raises(OverflowError):
        rfc3339.format(micros)
