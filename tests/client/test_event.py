"""Events become CloudEvents that the server's own door takes, or say why not."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_client import Event, EventError
from orchestrator_client.event import encode
from streams import rfc3339
from streams.intake import Intake

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(source=TEXT.filter(bool), subject=TEXT, data=JSON, number=st.integers(-(2**31), 2**31 - 1))
def test_the_server_takes_an_event_as_it_was_meant(source: str, subject: str, data: Any, number: int) -> None:
    event = Event("paid", source, subject, data, time=NOON, extensions={"shard": number})
    found = Intake().from_json(encode(event), None)
    assert (found.type, found.source, found.id, found.key) == ("paid", source, event.id, subject)
    assert found.payload() == data
    assert rfc3339.format(found.time) == "2026-03-01T12:00:00Z"


def test_an_event_draws_an_id_once_and_keeps_it() -> None:
    one, other = Event("t", "s"), Event("t", "s")
    assert one.id != other.id
    assert encode(one) == encode(one)


def test_an_event_that_waits_gets_the_time_at_which_it_was_handed_over_and_keeps_its_own() -> None:
    assert json.loads(encode(Event("t", "s"), NOON))["time"] == "2026-03-01T12:00:00Z"
    assert "time" not in json.loads(encode(Event("t", "s")))
    east = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    earlier = encode({"id": "1", "type": "t", "source": "s", "time": east}, NOON)
    assert json.loads(earlier)["time"] == "2026-03-01T10:00:00Z"


@pytest.mark.parametrize(
    ("event", "field", "said"),
    [
        ({"type": "t", "source": "s"}, "id", "missing"),
        ({"id": "", "type": "t", "source": "s"}, "id", "missing"),
        ({"id": 7, "type": "t", "source": "s"}, "id", "no text"),
        (Event("", "s"), "type", "missing"),
        (Event("t", "s", time=datetime(2026, 3, 1)), "time", "no offset"),  # noqa: DTZ001
        (Event("t", "s", data=float("nan")), "", "not JSON"),
        (Event("t", "s", data=object()), "", "not JSON"),
        (Event("t", "s", data="\ud800"), "", "surrogate"),
    ],
)
def test_what_no_server_would_take_is_refused_with_its_field(event: Any, field: str, said: str) -> None:
    with pytest.raises(EventError, match=said) as raised:
        encode(event)
    assert raised.value.field == field
