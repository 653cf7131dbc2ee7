"""Events of older versions are brought up to the newest before anything sees them (RULES.md §11)."""

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
from streams import rfc3339
from streams.event import FORWARDED, TICK, Event, Forwarded, control, fingerprint
from streams.outputs import Command, Forward
from tests.oracle.partition import OnePartition

EVENTS = """
events:
  order.placed: {amount: string, note: string?}
  order.placed/2: {amount: number, note: string?, from/1: {amount: "double(event.data.amount)"}}
  order.placed/3:
    total: number
    currency: string
    note: string?
    from/2: {total: event.data.amount, amount: null, currency: "has(event.data.land) ? event.data.land : 'EUR'"}
"""
RULES = f"""
ruleset: shop
{EVENTS}
projections:
  orders:
    fold:
      order.placed: {{total: event.data.total, data: event.data}}
  by_currency:
    by: event.data.currency
    fold:
      order.placed: {{last: event.data.total}}
rules:
  big:
    on: order.placed
    when: event.data.total > 100
    then: [{{command: look, to: t, args: {{total: "${{event.data.total}}", row: "${{orders.total}}"}}}}]
  late:
    on: order.placed
    after: 1h
    unless: {{on: paid, when: event.data.total >= start.data.total}}
    then: [{{command: remind, to: t, args: {{data: "${{event.data}}", version: "${{event.dataschema}}"}}}}]
  abroad:
    on: order.placed
    by: event.data.currency
    then: [{{command: convert, to: t, args: {{data: "${{event.data}}"}}}}]
"""


def processor(text: str) -> RulesProcessor:
    return compile_rules(load_sources({"rules.yaml": text}))


PROCESSOR = processor(RULES)


def commands(kit: Any, name: str) -> list[dict[str, Any]]:
    return [command.args for command in kit.commands if command.command == name]


def placed(place: int, data: Any, dataschema: str | None = None, minute: int = 0) -> Event:
    return Event(
        "order.placed",
        minute * 60_000_000,
        f"k{place % 3}",
        f"k{place % 3}",
        "t",
        str(place),
        fingerprint("t", str(place)),
        msgspec.Raw(msgspec.json.encode(data)),
        extensions={"dataschema": dataschema} if dataschema is not None else None,
    )


def test_an_old_event_goes_step_by_step_to_the_newest_version() -> None:
    kit = given(RULES).event("order.placed", "A", {"amount": "150.5", "note": "x", "more": [1]}).advance("2h")
    assert commands(kit, "look") == [{"total": 150.5, "row": 150.5}]
    data = {"note": "x", "more": [1], "total": 150.5, "currency": "EUR"}
    assert commands(kit, "remind") == [{"data": data, "version": "order.placed/3"}]
    assert kit.row("orders", "A") == {"total": 150.5, "data": data}
    assert kit.not_evaluated == {}


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_under_another_key_it_is_the_same_event(partitions: int) -> None:
    kit = given(RULES, partitions=partitions).event("order.placed", "A", {"amount": "7", "land": "CHF"})
    assert kit.row("by_currency", "CHF") == {"last": 7}
    assert commands(kit, "convert") == [{"data": {"land": "CHF", "total": 7, "currency": "CHF"}}]
    assert [command.key for command in kit.commands] == ["CHF"]


@pytest.mark.parametrize(
    ("dataschema", "version"),
    [
        (None, 1),
        ("order.placed/1", 1),
        ("https://example.com/schemas/order-placed.json", 1),
        ("order.placed/2", 2),
        ("https://example.com/order.placed/2", 2),
        ("https://example.com/order.placed/v2", 2),
        ("urn:example:order.placed:2", 2),
        ("urn:example:order.placed:v3", 3),
        ("http://example.com:2/", 1),
        ("/3", 3),
        ("3", 3),
        ("v3", 3),
        ("order.placed/03", 1),
    ],
)
def test_the_version_stands_at_the_end_of_dataschema(dataschema: str | None, version: int) -> None:
    rules = """
ruleset: t
events:
  order.placed/2: {from/1: {steps: "'1'"}}
  order.placed/3: {from/2: {steps: "has(event.data.steps) ? event.data.steps + '2' : '2'"}}
projections: {orders: {fold: {order.placed: {steps: "has(event.data.steps) ? event.data.steps : ''"}}}}
"""
    partition = OnePartition(processor(rules))
    partition.run([placed(1, {}, dataschema)] * 2)
    assert partition.rows("orders") == {"k1": {"steps": ["12", "2", ""][version - 1]}}


def test_a_version_may_be_a_whole_number_too() -> None:
    event = msgspec.structs.replace(placed(1, {"amount": 7}), extensions={"dataschema": 2})
    partition = OnePartition(PROCESSOR)
    partition.run([event])
    assert partition.rows("orders")["k1"]["data"] == {"total": 7, "currency": "EUR"}


def test_what_cannot_be_brought_up_is_counted_with_the_reason_and_evaluated_as_it_came() -> None:
    kit = given(RULES + "  any: {on: order.placed, then: [{command: seen, to: t, args: {d: '${event.data}'}}]}")
    kit.event("order.placed", "A", {"amount": "much"})
    why = "version 1 cannot be brought up: `much` is not a number"
    assert kit.not_evaluated["event order.placed"] == why
    assert kit.not_evaluated["big"] == "`event.data.total` is absent"
    assert commands(kit, "seen") == [{"d": {"amount": "much"}}]


@pytest.mark.parametrize("data", [{"amount": "much", "total": 1, "currency": "EUR"}, {"total": 1, "currency": "EUR"}])
def test_an_old_event_that_looks_like_a_new_one_is_counted_all_the_same(data: Any) -> None:
    partition = OnePartition(PROCESSOR)
    partition.run([placed(1, data)])
    assert partition.counts["schema|order.placed"] == 1
    assert partition.rows("orders") == {"k1": {"total": 1, "data": data}}


@pytest.mark.parametrize(
    ("data", "row"),
    [(None, {"total": 1, "data": {"total": 1}}), ([1], None), ("text", None), ({}, {"total": 1, "data": {"total": 1}})],
)
def test_only_maps_are_brought_up_and_no_data_are_an_empty_one(data: Any, row: Any) -> None:
    rules = RULES.replace(EVENTS, "events: {order.placed/2: {total: number, from/1: {total: 1}}}\n")
    kit = given(rules).event("order.placed", "A", data)
    assert kit.row("orders", "A") == row
    assert ("event order.placed" in kit.not_evaluated) == (row is None)


def test_an_event_newer_than_all_that_is_known_is_counted_and_evaluated_as_it_is() -> None:
    partition = OnePartition(PROCESSOR)
    partition.run([placed(1, {"total": 150, "currency": "EUR"}, "order.placed/4")])
    assert partition.counts["schema|order.placed"] == 1
    assert partition.counts["fired|big"] == 1
    reason = "version 4 is newer than all that the rules know of, `order.placed/3`"
    assert partition.reasons["event order.placed"] == reason


def test_with_one_numbered_version_newer_ones_are_counted_and_those_without_a_number_are_not() -> None:
    partition = OnePartition(processor("ruleset: t\nevents: {order.placed/1: {amount: number}}\n"))
    schemas = [None, "order.placed/1", "order.placed/2", "https://example.com/"]
    partition.run([placed(n, {"amount": 7}, schema) for n, schema in enumerate(schemas)])
    assert partition.counts == {"schema|order.placed": 1}


def test_the_fields_of_a_step_all_see_the_data_before_it() -> None:
    rules = RULES.replace(
        EVENTS, "events: {order.placed/2: {a: number, b: number, from/1: {a: event.data.b, b: event.data.a}}}\n"
    )
    kit = given(rules.replace("event.data.total", "event.data.a")).event("order.placed", "A", {"a": 1, "b": 2})
    assert kit.row("orders", "A") == {"total": 2, "data": {"a": 2, "b": 1}}


def test_events_that_rules_emit_are_of_the_newest_version() -> None:
    rules = RULES.replace(
        "rules:\n",
        "rules:\n  make:\n    on: asked\n    then:\n"
        "      - {emit: order.placed, data: {total: 500, currency: EUR}}\n"
        "      - {emit: order.placed, subject: other, data: {total: 600, currency: EUR}}\n",
    )
    kit = given(rules).event("asked", "A")
    assert commands(kit, "look") == [{"total": 500, "row": 500}, {"total": 600, "row": 600}]
    assert [event.extensions for event in kit.derived] == [{"dataschema": "order.placed/3"}] * 2
    assert "event order.placed" not in kit.not_evaluated


def test_the_data_are_brought_up_also_where_data_hold_what_no_version_names() -> None:
    big = 2**80
    kit = given(RULES).event("order.placed", "A", {"amount": "7", "big": big, "deep": {"x": [None, 1.5]}})
    row = kit.row("orders", "A")
    assert row is not None
    assert row["data"]["deep"] == {"x": [None, 1.5]}
    assert row["data"]["big"] == float(big)


def test_an_opening_event_that_waited_while_a_version_came_is_brought_up_when_its_deadline_is_looked_at() -> None:
    rules = """
ruleset: t
events: {order.placed/2: {amount: number, from/1: {amount: double(event.data.amount)}}%s}
rules:
  late:
    on: order.placed
    after: 1h
    unless: {on: paid, when: event.data.total >= start.data.total}
    then: [{command: remind, to: t, args: {data: "${event.data}"}}]
"""
    before = OnePartition(processor(rules % ""))
    after = OnePartition(processor(rules % ", order.placed/3: {total: number, from/2: {total: event.data.amount}}"))
    before.run([placed(1, {"amount": "7"}), placed(2, {"amount": "9"})])
    after.stored = before.stored
    paid = msgspec.structs.replace(placed(1, {"total": 8}), type="paid", id="paid", time=60_000_000)
    after.run([paid, control(TICK, {"limit": 100}, time=rfc3339.parse("1970-01-01T02:00:00Z"))])
    reminded = [output for output in after.outputs if isinstance(output, Command)]
    assert [(command.key, command.args["data"]) for command in reminded] == [("k2", {"amount": 9, "total": 9})]


OLD = st.fixed_dictionaries({"amount": st.sampled_from(["1", "150.5", "2e3"])}, optional={"note": st.just("n")})
SECOND = st.fixed_dictionaries({"amount": st.sampled_from([1, 150.5, 2e3])}, optional={"land": st.just("CHF")})
NEWEST = st.fixed_dictionaries({"total": st.sampled_from([1, 150.5, 2e3]), "currency": st.sampled_from(["EUR", "k1"])})
ANY_VERSION = st.one_of(
    st.tuples(st.sampled_from([None, "order.placed/1"]), OLD),
    st.tuples(st.sampled_from(["order.placed/2", "https://x.example/2"]), SECOND),
    st.tuples(st.sampled_from(["order.placed/3", "urn:x:3"]), NEWEST),
)


def by_hand(schema: str | None, data: dict[str, Any]) -> dict[str, Any]:
    """The same data as version 3 has them."""
    if schema is None or schema.endswith("1"):
        data = {**data, "amount": float(data["amount"])}
    if schema is None or not schema.endswith("3"):
        total = data["amount"]
        rest = {name: value for name, value in data.items() if name != "amount"}
        data = {**rest, "total": total, "currency": data.get("land", "EUR")}
    return data


def told(partition: OnePartition, events: list[Event], cuts: set[int]) -> list[Any]:
    """What comes out, also of what is forwarded."""
    partition.run(events, cuts)
    sent = [output for output in partition.outputs if isinstance(output, Forward)]
    forwards = [
        control(FORWARDED, Forwarded(each.route, 0, each.offset, each.event), time=each.event.time, key=each.key)
        for each in sent
    ]
    partition.run(forwards, cuts)
    partition.run([control(TICK, {"limit": 1000}, time=rfc3339.parse("1970-01-02T00:00:00Z"))])
    return [
        (output.id, {name: value for name, value in output.args.items() if name != "version"})
        for output in partition.outputs
        if isinstance(output, Command)
    ]


@property_of(st.lists(ANY_VERSION, max_size=12), st.sets(st.integers(0, 12)))
@settings(deadline=None, max_examples=60)
def test_a_history_of_all_versions_is_one_of_the_newest_however_it_is_cut(
    history: list[tuple[str | None, dict[str, Any]]], cuts: set[int]
) -> None:
    mixed, plain = OnePartition(PROCESSOR), OnePartition(PROCESSOR)
    as_came = [placed(n, data, schema, n) for n, (schema, data) in enumerate(history)]
    as_new = [placed(n, by_hand(schema, data), "order.placed/3", n) for n, (schema, data) in enumerate(history)]
    assert told(mixed, as_came, cuts) == told(plain, as_new, set())
    for name in ("orders", "by_currency"):
        assert mixed.rows(name) == plain.rows(name)
    assert mixed.counts == plain.counts
    assert not any(name.startswith("schema|") for name in mixed.counts)
