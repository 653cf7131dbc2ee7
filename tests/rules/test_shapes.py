"""Schemas may say what is within a map: it is checked, counted, and read quickly, and changes nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given as property_of
from hypothesis import settings
from hypothesis import strategies as st

from rules.compile import compile_rules
from rules.load import load_sources
from rules.processor import RulesProcessor
from rules.testing import given
from streams.event import Event, fingerprint
from streams.outputs import Command
from tests.oracle.partition import OnePartition

SCHEMA = """
events:
  moved:
    to: {city: string, place: {x: number, floor: integer, lift: boolean?}}
    from?: {city: string, zip: string?}
    tags: list
"""
INSIDE = """
ruleset: t
%s
projections:
  places:
    fold:
      moved: {x: event.data.to.place.x, city: event.data.to.city}
rules:
  high:
    on: moved
    when: event.data.to.place.floor > 2 && event.data.to.city != "Ulm"
    then: [{command: high, to: t, args: {x: "${event.data.to.place.x + event.data.to.place.floor}"}}]
  lifted:
    on: moved
    when: has(event.data.to.place.lift) && event.data.to.place.lift
    then: [{command: lifted, to: t}]
  bonn:
    on: moved
    when: event.data.to.city == "Bonn"
    then: [{command: bonn, to: t}]
"""
"""Reads nothing but what is declared."""
BEYOND = (
    INSIDE.replace("city: event.data.to.city}", "to: event.data.to}")
    + """
  left:
    on: moved
    when: has(event.data.from) && event.data.from.city == "Bonn" || event.data.to.place.unknown == 1
    then: [{command: left, to: t, args: {zip: "${has(event.data.from.zip) ? event.data.from.zip : ''}"}}]
  zipped:
    on: moved
    by: event.data.from.zip
    then: [{command: zipped, to: t}]
"""
)


def processor(rules: str) -> RulesProcessor:
    return compile_rules(load_sources({"rules.yaml": rules}))


PROCESSORS = [(processor(rules % SCHEMA), processor(rules % "")) for rules in (INSIDE, BEYOND)]


def moved(place: int, data: Any) -> Event:
    text = msgspec.Raw(msgspec.json.encode(data))
    return Event("moved", place, "k", "k", "t", str(place), fingerprint("t", str(place)), text)


def maps(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Maps that mostly have what they need."""
    whole = st.fixed_dictionaries(required, optional=optional)
    return st.one_of(whole, whole, st.fixed_dictionaries({}, optional=required | optional), st.sampled_from([None, 7]))


CITY = st.sampled_from(["Bonn", "Ulm", "Bonn", None, 3])
PLACE = maps(
    {"x": st.sampled_from([1, 1.5, "1"]), "floor": st.sampled_from([1, 3, 3.0, 3.5])},
    {"lift": st.sampled_from([True, False, None, "yes"]), "unknown": st.sampled_from([1, 2])},
)
DATA = maps(
    {"to": maps({"city": CITY, "place": PLACE}, {}), "tags": st.just([])},
    {"from": maps({"city": CITY}, {"zip": st.sampled_from(["53111", None, 5])})},
)


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def fits(data: Any) -> bool:
    """What the schema says, in other words."""
    if not isinstance(data, dict) or not isinstance(data.get("to"), dict) or not isinstance(data.get("tags"), list):
        return False
    city, place, origin = data["to"].get("city"), data["to"].get("place"), data.get("from")
    if not isinstance(city, str) or not isinstance(place, dict):
        return False
    if not number(place.get("x")) or not number(place.get("floor")) or place["floor"] % 1:
        return False
    if place.get("lift") not in (True, False, None):
        return False
    return origin is None or (
        isinstance(origin, dict)
        and isinstance(origin.get("city"), str)
        and (origin.get("zip") is None or isinstance(origin["zip"], str))
    )


def seen(partition: OnePartition) -> Any:
    counts = {name: count for name, count in partition.counts.items() if not name.startswith("schema|")}
    commands = [(each.id, each.args) for each in partition.outputs if isinstance(each, Command)]
    return commands, partition.rows("places"), counts


@property_of(st.lists(DATA, min_size=1, max_size=8))
@settings(deadline=None, max_examples=150)
def test_a_declared_shape_counts_what_does_not_fit_and_changes_nothing_else(history: list[Any]) -> None:
    events = [moved(place, data) for place, data in enumerate(history, 1)]
    for with_schema, without in PROCESSORS:
        declared, plain = OnePartition(with_schema), OnePartition(without)
        declared.run(events)
        plain.run(events)
        assert seen(declared) == seen(plain)
        assert declared.counts.get("schema|moved", 0) == sum(not fits(data) for data in history)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"to": {"city": "B", "place": {"x": 1, "floor": 1.5}}, "tags": []}, "1.5 is no whole number"),
        ({"to": {"city": "B", "place": {"x": "1", "floor": 1}}, "tags": []}, "$.to.place.x"),
        ({"to": {"city": "B", "place": {"floor": 1}}, "tags": []}, "missing required field `x`"),
        ({"to": {"city": "B", "place": {"x": 1, "floor": 1}}, "from": {"zip": "1"}, "tags": []}, "$.from"),
    ],
)
def test_the_reason_says_where_in_the_map_it_is_wrong(data: Any, why: str) -> None:
    kit = given(INSIDE % SCHEMA).event("moved", "A", data)
    assert why in kit.not_evaluated["event moved"]
