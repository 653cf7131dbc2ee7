"""Lists of rows: filtered, sorted and paged alike by every store, as a list in memory is.

Stores know bytes that sort as values do; here values are compared as they are.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.query import Queries, QueryError
from projections.stores.redis import lists as redis
from projections.stores.sqlite import lists as sqlite
from projections.table import QueryTable
from tests.projections.conftest import World, url_of

ORDERS = QueryTable("orders", "ddd4", ("status", "amount", "any"), (("status", "string"), ("amount", "number")))
ROWS = QueryTable("rows", "eee5")
Row = dict[str, Any]


@pytest.fixture(params=["memory", "sqlite", "redis", "redis-cluster"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = make(request.param, tmp_path)
    yield made
    made.close()


def make(kind: str, folder: Path) -> World:
    world = World(folder, url_of(kind, folder))
    world.store = world.open((ORDERS, ROWS))
    world.feeder = world.make_feeder()
    return world


def show(world: World, rows: dict[str, Row]) -> None:
    for key, row in rows.items():
        world.put(key, **{ORDERS.id: row})
    world.feeder.catch_up()


def keys(
    world: World, filters: dict[str, str] | None = None, sort: str | None = None, limit: int = 100, name: str = "orders"
) -> list[str]:
    """Over all pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = world.queries.rows(name, list((filters or {}).items()), sort, limit, cursor)
        assert len(page.rows) <= limit
        found += [row.key for row in page.rows]
        if page.next is None:
            return found
        assert len(page.rows) == limit
        cursor = page.next


SOME = {
    "A": {"status": "open", "amount": 3},
    "B": {"status": "paid", "amount": 2.5},
    "C": {"status": "open", "amount": 10},
    "D": {"status": "open"},
    "E": {"status": "late, very", "amount": -1},
}


@pytest.mark.parametrize(
    ("filters", "sort", "expected"),
    [
        ({}, None, "ABCDE"),
        ({}, "-key", "EDCBA"),
        ({}, "amount", "DEBAC"),
        ({}, "-amount", "CABED"),
        ({}, "status", "EACDB"),
        ({}, "-status", "BDCAE"),
        ({"status": "open"}, None, "ACD"),
        ({"status": "open"}, "-amount", "CAD"),
        ({"status": "open", "amount__gt": "3"}, "amount", "C"),
        ({"amount__gt": "2.5"}, "amount", "AC"),
        ({"amount__gte": "2.5", "amount__lt": "10"}, "-amount", "AB"),
        ({"amount__lte": "2.5"}, None, "BE"),
        ({"amount": "10.0"}, None, "C"),
        ({"status__in": "paid,open", "amount__in": "[3, 2.5]"}, "amount", "BA"),
        ({"status__in": '["late, very"]'}, None, "E"),
        ({"status__ne": "open"}, None, "BE"),
        ({"amount__null": "true"}, None, "D"),
        ({"amount__null": "false"}, "amount", "EBAC"),
        ({"amount": "null"}, None, "D"),
        ({"amount__gt": "5", "amount__lt": "5"}, None, ""),
        ({"key__gt": "B"}, "-key", "EDC"),
        ({"key__in": "A,E,X"}, "amount", "EA"),
        ({"key__gte": "B", "key__lt": "D"}, "-amount", "CB"),
        ({"any__null": "true", "status": "paid"}, "any", "B"),
    ],
)
def test_rows_are_filtered_and_sorted(world: World, filters: dict[str, str], sort: str | None, expected: str) -> None:
    show(world, SOME)
    for limit in (1, 2, 100):
        assert "".join(keys(world, filters, sort, limit)) == expected


def test_a_page_says_what_it_holds_and_up_to_where(world: World) -> None:
    show(world, SOME)
    page = world.queries.rows("orders", [("status", "paid")])
    assert [tuple(row) for row in page.rows] == [("B", SOME["B"])]
    ends = [world.store.position(partition, "rules") for partition in range(3)]
    assert page.as_of == [(1, partition, end) for partition, end in enumerate(ends)]
    assert sum(ends) == len(SOME)


def test_a_projection_without_an_index_is_listed_by_key(world: World) -> None:
    for key in ("b", "", "ä", "a\0", "a", "😀", "\uffff", "a/b"):
        world.put(key, **{ROWS.id: {"n": 1}})
    world.feeder.catch_up()
    assert keys(world, name="rows", limit=3) == sorted(["b", "", "ä", "a\0", "a", "😀", "\uffff", "a/b"])
    assert keys(world, {"key__gte": "a", "key__lt": "b"}, name="rows") == ["a", "a\0", "a/b"]


def test_what_is_known_of_projections_is_listed(world: World) -> None:
    show(world, SOME)
    queries = Queries(world.store, tails=lambda: {0: 10, 1: 10, 2: 10})
    orders, rows = queries.projections()
    assert (orders.name, orders.fields, orders.index) == (
        "orders",
        {"status": "string", "amount": "number"},
        ["status", "amount", "any"],
    )
    assert (orders.rows, orders.lag) == (5, 25)
    assert (rows.name, rows.fields, rows.index, rows.rows) == ("rows", {}, [], 0)


@pytest.mark.parametrize(
    ("filters", "sort", "field", "why"),
    [
        (
            [("total", "1")],
            None,
            "total",
            "no field `total`: lists filter and sort by `status`, `amount`, `any`, `key`",
        ),
        ([], "-total", "sort", "no field `total`"),
        ([("amount__over", "1")], None, "amount__over", "no `__over`: use `amount__gt`, .* or `amount`"),
        ([("amount", "x")], None, "amount", "takes a number, and `x` is none"),
        ([("amount__in", "1,x")], None, "amount__in", "takes a number, and `x` is none"),
        ([("amount__in", "[1")], None, "amount__in", "no JSON array"),
        (
            [("amount__gt", "null")],
            None,
            "amount__gt",
            "nothing is more or less than null: ask with `amount__null=true`",
        ),
        ([("amount__null", "maybe")], None, "amount__null", "true or false"),
        ([("key__null", "true")], None, "key__null", "no key"),
        ([("key__in", "[1]")], None, "key__in", "a key is a text"),
        ([("status", "a"), ("status", "b")], None, "status", "more than once"),
        ([("status", "\ud800")], None, "status", "surrogate"),
        ([("amount", "1e999")], None, "amount", "number"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_by_the_name_of_the_parameter(
    world: World, filters: list[tuple[str, str]], sort: str | None, field: str, why: str
) -> None:
    with pytest.raises(QueryError, match=why) as error:
        world.queries.rows("orders", filters, sort)
    assert error.value.field == field


def test_a_field_that_is_not_indexed_is_refused_with_the_remedy(world: World) -> None:
    with pytest.raises(
        QueryError, match="`n` of `rows` is not indexed: add it to `index:` of the projection in the rule file"
    ):
        world.queries.rows("rows", [("n", "1")])


def test_a_cursor_of_another_order_is_refused(world: World) -> None:
    show(world, SOME)
    cursor = world.queries.rows("orders", limit=1).next
    with pytest.raises(QueryError, match="sorted by `key`: send the same `sort`"):
        world.queries.rows("orders", sort="-amount", cursor=cursor)
    for broken in ("", "x", "ä", "k6NrZXk", "!!"):
        with pytest.raises(QueryError, match="none of ours"):
            world.queries.rows("orders", cursor=broken)


def test_a_row_that_changed_stands_where_its_new_value_belongs_and_one_that_went_nowhere(world: World) -> None:
    show(world, SOME)
    show(world, {"A": {"status": "paid", "amount": 30}, "E": {"status": "open"}})
    world.drop("B")
    world.feeder.catch_up()
    assert keys(world, sort="-amount") == ["A", "C", "E", "D"]
    assert keys(world, {"status": "open"}, "-key") == ["E", "D", "C"]
    assert keys(world, {"status": "paid"}) == ["A"]
    assert keys(world) == ["A", "C", "D", "E"]


# ------------------------------------------------------------ any values


numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**53, 2**53 + 1, float(2**53), 2**64 - 1, 2.0**64, 1e300, -0.0, 0.5, 5e-324]),
)
texts = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "a\0",
            "a\0b",
            "a\1",
            "ab",
            "x" * 254,
            "x" * 300,
            "x" * 253 + "\0" + "x" * 50,
            "ä",
            "😀",
            "\uffff",
            "10",
            "null",
        ]
    ),
    st.text(max_size=3),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.one_of(scalars, st.lists(st.integers(0, 2), max_size=2), st.just({"b": 1, "a": 2}))
some_keys = st.sampled_from(["", "\0", "\1", "a", "A", "b", "a\0", "ä", "😀", *map(str, range(20))])
tables = st.dictionaries(some_keys, st.fixed_dictionaries({}, optional={"any": values, "amount": numbers}), max_size=20)


def place(value: Any) -> tuple[Any, ...]:
    """Python's order, within kinds and over them."""
    match value:
        case None:
            return (0,)
        case bool():
            return (1, value)
        case int() | float():
            return (2, Fraction(value))
        case str():
            return (3, [ord(each) for each in value])
        case list():
            return (4, msgspec.json.encode(value))
        case _:
            return (5, msgspec.json.encode(value, order="sorted"))


def compare(operation: str, value: Any, asked: Any) -> bool:
    one, other = place(value), place(asked)
    match operation:
        case "":
            return one == other
        case "ne":
            return one != other
        case "gt":
            return one[0] == other[0] and one > other
        case "gte":
            return one[0] == other[0] and one >= other
        case "lt":
            return one[0] == other[0] and one < other
        case _:
            return one[0] == other[0] and one <= other


def written(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@pytest.mark.parametrize("kind", ["memory", "redis"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables, st.data())
def test_pages_put_together_are_the_filtered_and_sorted_list(
    kind: str, rows: dict[str, Row], draw: st.DataObject
) -> None:
    folder = Path(tempfile.mkdtemp())
    world = make(kind, folder)
    try:
        show(world, {key: {"any": 1, "amount": 1} for key in draw.draw(st.lists(some_keys, max_size=5))})
        show(world, rows)
        here = {row.key: row.row for row in world.queries.rows("orders", limit=1000).rows}
        assert all(here[key] == row for key, row in rows.items())
        filters, expected = [], list(here)
        for field in draw.draw(st.lists(st.sampled_from(["any", "amount"]), unique=True)):
            operation = draw.draw(st.sampled_from(["", "ne", "gt", "gte", "lt", "lte"]))
            asked = draw.draw(values if field == "any" else numbers)
            if asked is None and operation not in ("", "ne"):
                continue
            filters.append((f"{field}__{operation}" if operation else field, written(asked)))
            expected = [key for key in expected if compare(operation, here[key].get(field), asked)]
        field = draw.draw(st.sampled_from(["key", "any", "amount"]))
        down = draw.draw(st.booleans())
        expected.sort(
            key=lambda key: (place(None if field == "key" else here[key].get(field)), [ord(each) for each in key]),
            reverse=down,
        )
        few, looks = draw.draw(st.sampled_from([0, 2, 5_000])), draw.draw(st.sampled_from([1, 3, 5_000]))
        with patch.multiple(sqlite, FEW=few, HOPE=looks), patch.multiple(redis, FEW=few, LOOKS=looks):
            found = keys(world, dict(filters), f"{'-' * down}{field}", draw.draw(st.integers(1, 5)))
        assert found == expected
    finally:
        world.close()
        shutil.rmtree(folder)
