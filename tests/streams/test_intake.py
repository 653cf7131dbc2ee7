"""What may come in from outside, what may not, and what is said about it."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.event import CONTROL, OUTSIDE, Event, decode, encode, fingerprint
from streams.intake import Intake, IntakeError
from streams.rfc3339 import parse

NOW = parse("2024-01-01T00:00:00Z")
INTAKE = Intake()
MINIMAL = {"id": "1", "source": "/s", "type": "t"}


def read(intake: Intake = INTAKE, **attributes: Any) -> Event:
    return intake.from_json(json.dumps({**MINIMAL, **attributes}).encode(), NOW)


def refused(body: bytes, intake: Intake = INTAKE) -> IntakeError:
    with pytest.raises(IntakeError) as caught:
        intake.from_json(body, NOW)
    return caught.value


def refusal(intake: Intake = INTAKE, **attributes: Any) -> IntakeError:
    return refused(json.dumps({**MINIMAL, **attributes}).encode(), intake)


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in MINIMAL.items() if key != name}).encode()


def test_an_event_comes_in_with_its_attributes() -> None:
    event = read(subject="A1", time="2023-05-06T07:08:09.5Z", data={"n": 1.0}, specversion="1.0")
    assert event == Event(
        "t",
        parse("2023-05-06T07:08:09.5Z"),
        "A1",
        "A1",
        "/s",
        "1",
        fingerprint("/s", "1"),
        msgspec.Raw(b'{"n": 1.0}'),
        OUTSIDE,
    )


def test_what_is_absent_or_null_has_its_default() -> None:
    absent, null = read(), read(subject=None, time=None, data=None, partitionkey=None, comexample=None)
    for event in (absent, null):
        assert (event.time, event.key, event.subject, event.payload(), event.extensions) == (NOW, "", "", None, None)


def test_an_empty_subject_is_no_subject() -> None:
    assert read(subject="").key == ""


def test_the_partition_key_is_the_key_and_stays_an_extension() -> None:
    event = read(subject="A1", partitionkey="K")
    assert (event.key, event.subject, event.extensions) == ("K", "A1", {"partitionkey": "K"})


def test_extensions_are_kept_as_they_came() -> None:
    extensions = {"comexample": "x", "n": 7, "flag": True, "dataschema": "/v1", "datacontenttype": "application/json"}
    assert read(**extensions).extensions == extensions


@pytest.mark.parametrize("name", ["id", "source", "type"])
@pytest.mark.parametrize("value", [None, "", 7, True, ["x"], {"x": 1}])
def test_what_every_event_needs_is_named_when_it_is_missing_or_wrong(name: str, value: Any) -> None:
    error = refusal(**{name: value})
    assert error.field == name
    assert f"`{name}`" in str(error)


@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_a_missing_attribute_is_named(name: str) -> None:
    assert refused(without(name)).field == name
    assert "is missing" in str(refused(without(name)))


@pytest.mark.parametrize("name", ["subject", "time", "partitionkey", "datacontenttype", "dataschema"])
def test_an_attribute_of_the_wrong_type_is_named(name: str) -> None:
    assert refusal(**{name: ["x"]}).field == name


def test_another_version_of_cloudevents_is_refused() -> None:
    assert refusal(specversion="0.3").field == "specversion"
    assert refusal(specversion=1.0).field == "specversion"


@pytest.mark.parametrize(
    "time", ["", "yesterday", "2024-01-01", "2024-01-01T00:00:00", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", 7]
)
def test_a_time_that_is_none_is_refused(time: Any) -> None:
    assert refusal(time=time).field == "time"


def test_a_time_more_than_five_minutes_ahead_is_refused() -> None:
    assert read(time="2024-01-01T00:05:00Z").time == NOW + 300_000_000
    error = refusal(time="2024-01-01T00:05:00.000001Z")
    assert error.field == "time"
    assert "5 minutes ahead" in str(error)
    assert refusal(time="2099-01-01T00:00:00Z").field == "time"
    assert read(Intake(max_ahead=None), time="2099-01-01T00:00:00Z").time > NOW


def test_an_offset_is_reckoned_in() -> None:
    assert read(time="2024-01-01T01:00:00+01:00").time == NOW


def test_where_there_is_no_clock_every_event_says_its_time() -> None:
    with pytest.raises(IntakeError, match="`time` is missing"):
        INTAKE.from_json(json.dumps(MINIMAL).encode(), None)


@pytest.mark.parametrize(
    "type", ["orchestrator.tick", "orchestrator.rules.activated", "orchestrator.command.succeeded"]
)
def test_types_of_the_system_are_refused_from_outside(type: str) -> None:
    assert refusal(type=type).field == "type"


def test_a_tick_comes_in_where_it_may() -> None:
    ticking = Intake(ticks=True)
    assert read(ticking, type="orchestrator.tick").kind == CONTROL
    assert refusal(ticking, type="orchestrator.ticks").field == "type"
    assert refusal(ticking, type="orchestrator.mode").field == "type"


@pytest.mark.parametrize("name", ["Upper", "with-dash", "with_line", "", "a" * 21, "ünicode", "sp ace"])
def test_names_that_no_extension_may_have_are_refused(name: str) -> None:
    error = refusal(**{name: "x"})
    assert "name of an attribute" in str(error)


@pytest.mark.parametrize("value", [1.5, [1], {"a": 1}, 2**31, -(2**31) - 1])
def test_values_that_no_extension_may_have_are_refused(value: Any) -> None:
    error = refusal(comexample=value)
    assert error.field == "comexample"
    assert "`data`" in error.remedy


def test_content_that_is_no_json_is_refused() -> None:
    assert refusal(data_base64="AAEC").field == "data_base64"
    assert refusal(datacontenttype="text/xml").field == "datacontenttype"
    for content in ("application/json", "application/json; charset=utf-8", "text/json", "application/ld+json"):
        assert read(datacontenttype=content).extensions == {"datacontenttype": content}


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "partitionkey", "comexample"])
def test_a_lone_surrogate_in_an_attribute_is_refused_by_name(name: str) -> None:
    body = json.dumps({**MINIMAL, name: "a\ud800b"}).encode()
    assert refused(body).field == name


@pytest.mark.parametrize("data", [b'"\\ud800"', b'{"\\udc00": 1}', b'["\\ud800\\ud800"]'])
def test_a_lone_surrogate_in_the_data_is_refused(data: bytes) -> None:
    error = refused(b'{"id":"1","source":"s","type":"t","data":' + data + b"}")
    assert error.field == "data"


def test_a_nul_character_is_a_character() -> None:
    assert read(subject="a\0b").key == "a\0b"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"nonsense", "not valid JSON"),
        (b'{"id":"1","source":"s","type":"t"} {}', "not valid JSON"),
        (b'{"id":"1","source":"s","type":"t",}', "not valid JSON"),
        (b'{"id":"1","source":"s","type":"t","data":NaN}', "not valid JSON"),
        (b'{"id":"1","source":"s","type":"t","data":[Infinity]}', "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"event"', "must be a JSON object"),
        (b'{"id":"1","source":"s","type":"t","data":"\xff"}', "not UTF-8"),
        (b'{"id":"\xff","source":"s","type":"t"}', "not UTF-8"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
    ],
)
def test_a_body_that_is_no_event_is_refused_with_the_reason(body: bytes, says: str) -> None:
    error = refused(body)
    assert says in str(error)
    assert error.remedy


@pytest.mark.parametrize("number", [b"1e999", b"-1E400", b"1" + b"0" * 400, b"-" + b"9" * 5000])
def test_a_number_that_no_double_holds_is_refused(number: bytes) -> None:
    for data in (number, b'{"a":[' + number + b"]}"):
        error = refused(b'{"id":"1","source":"s","type":"t","data":' + data + b"}")
        assert error.field == "data"
        assert "out of range" in str(error)


def test_a_large_whole_number_and_a_long_text_of_digits_are_fine() -> None:
    assert read(data=10**300).payload() == 10**300
    assert read(data="9" * 1000).payload() == "9" * 1000


def test_an_event_that_is_too_large_is_told_of_dataref() -> None:
    assert len(bytes(read(data="x" * 200_000).data)) == 200_002
    error = refusal(data="x" * 300_000)
    assert "dataref" in error.remedy
    assert "262,144" in str(error)
    assert "dataref" in refusal(Intake(max_bytes=100), data="x" * 100).remedy


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_data_nested_too_deep_is_refused() -> None:
    assert read(data=nested(64)).payload() == nested(64)
    for depth in (65, 500):
        assert "deeper than" in str(refusal(data=nested(depth)))
    body = b'{"id":"1","source":"s","type":"t","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert "deeper than" in str(refused(body))


def test_many_brackets_side_by_side_or_in_text_are_not_deep() -> None:
    data = {"list": [[] for _ in range(500)], "text": '[{"' * 200}
    assert read(data=data).payload() == data


def test_data_is_stored_on_one_line() -> None:
    body = json.dumps({**MINIMAL, "data": {"a": [1, 2.50], "text": "line\nbreak"}}, indent=2).encode()
    event = INTAKE.from_json(body.replace(b"\n", b"\r\n"), NOW)
    assert b"\n" not in bytes(event.data)
    assert b"\r" not in bytes(event.data)
    assert decode(encode([event, event])) == [event, event]
    assert event.payload() == {"a": [1, 2.5], "text": "line\nbreak"}


def test_of_two_attributes_with_one_name_the_last_counts() -> None:
    assert INTAKE.from_json(b'{"id":"1","id":"2","source":"s","type":"t"}', NOW).id == "2"


# ------------------------------------------------------------ other doors


def test_a_batch_is_all_or_nothing_and_names_the_first_that_is_wrong() -> None:
    good, bad = json.dumps(MINIMAL), json.dumps({**MINIMAL, "id": ""})
    assert len(INTAKE.many_from_json(f"[{good}, {good}]".encode(), NOW)) == 2
    assert INTAKE.many_from_json(b"[]", NOW) == []
    with pytest.raises(IntakeError, match="event 1: `id` is empty") as caught:
        INTAKE.many_from_json(f"[{good}, {bad}, {good}]".encode(), NOW)
    assert caught.value.index == 1
    for body in (b"{}", b"[", b"[1", b"\xff", b"[" * 100_000):
        with pytest.raises(IntakeError, match="array"):
            INTAKE.many_from_json(body, NOW)


def test_an_object_comes_in_as_its_json_does() -> None:
    attributes = {**MINIMAL, "subject": "ä", "time": "2023-01-01T00:00:00Z", "data": {"a": [1, 2.5, None, "ü"]}, "x": 1}
    text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode()
    assert INTAKE.from_object(attributes, NOW) == INTAKE.from_json(text, NOW)


def circular() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("data", [math.nan, [math.inf], {"a": object()}, "\ud800", {"\ud800": 1}, b"bytes", circular()])
def test_an_object_with_data_that_is_no_json_is_refused(data: Any) -> None:
    with pytest.raises(IntakeError) as caught:
        INTAKE.from_object({**MINIMAL, "data": data}, NOW)
    assert caught.value.field == "data"


# ------------------------------------------------------------ what always holds

texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(
    ["id", "source", "type", "subject", "time", "data", "specversion", "partitionkey", "datacontenttype", "x"]
) | st.text(max_size=3)


def accepted_is_sound(intake: Intake, body: bytes) -> None:
    try:
        event = intake.from_json(body, NOW)
    except IntakeError:
        return
    assert event.id
    assert event.source
    assert event.type
    event.key.encode()
    event.payload()
    assert decode(encode([event])) == [event]
    assert encode([event]).count(b"\n") == 1


@given(st.dictionaries(names, values))
def test_any_object_is_refused_with_a_reason_or_comes_in_whole(attributes: dict[str, Any]) -> None:
    accepted_is_sound(INTAKE, json.dumps({**MINIMAL, **attributes}).encode("utf-8", "surrogatepass"))
    accepted_is_sound(
        INTAKE, json.dumps({**MINIMAL, **attributes}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )


@given(st.data())
def test_any_damage_to_an_event_is_refused_with_a_reason_or_comes_in_whole(draw: st.DataObject) -> None:
    body = bytearray(
        json.dumps({**MINIMAL, "subject": "ä", "time": "2023-01-01T00:00:00Z", "data": {"a": [1, "\n"]}}).encode()
    )
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(body) - 1))
        body[at : at + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=3))
    accepted_is_sound(INTAKE, bytes(body))


@given(st.binary(max_size=30))
def test_any_bytes_as_data_are_refused_with_a_reason_or_come_in_whole(data: bytes) -> None:
    accepted_is_sound(INTAKE, b'{"id":"1","source":"s","type":"t","data":' + data + b"}")


@given(values)
def test_both_paths_say_the_same(data: Any) -> None:
    text = json.dumps({**MINIMAL, "subject": "A", "data": data}).encode("utf-8", "surrogatepass")

    def outcome(body: bytes) -> Any:
        try:
            event = INTAKE.from_json(body, NOW)
        except IntakeError:
            return "refused"
        return msgspec.structs.replace(event, data=msgspec.Raw(b""), extensions=None), repr(event.payload())

    # A line break sends an event down the careful path.
    assert outcome(text) == outcome(text.replace(b"{", b"{\n", 1))
