"""Which rows fit: the index, the exact evaluator and CEL itself, over text built from the cells, say the same."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import cel
from rules.load import load_sources
from rules.model.table import Table
from rules.tables import cells, index
from rules.tables.index import Index
from tests.oracle.values import cell_text, holds

INPUTS = [
    "event.data.a",
    "event.data.b",
    "event.data.a + event.data.b",
    "event.data.b == 1 ? event.data.a : timestamp(event.data.t)",
    "event.data.l[0]",
]
NUMBERS = ["0", "1", "2", "2.5", "-1", "10", "9007199254740993", "1e300"]
STRINGS = ["'a'", "'b'", "''", "'10'", "'é'", "'..'"]
TIMES = ["timestamp('2025-01-01T00:00:00Z')", "timestamp('2025-01-02T00:00:00+01:00')"]
SPANS = ["duration('1h')", "duration('60m')", "duration('2d')"]
ORDERED = [NUMBERS, STRINGS, TIMES, SPANS, ["true", "false"]]
CONSTANTS = [*NUMBERS, *STRINGS, *TIMES, *SPANS, "true", "false", "null"]
EMPTY = re.compile(r"[\[(](.*)\.\.\1[\])]")
COMPARED = st.builds(
    lambda operator, constant: f"{operator} {constant}",
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from(ORDERED).flatmap(st.sampled_from),
)
EQUAL = st.builds("{0} {1}".format, st.sampled_from(["==", "!="]), st.sampled_from(CONSTANTS))
LISTED = st.lists(st.sampled_from(CONSTANTS), min_size=1, max_size=4).map(lambda each: f"in [{', '.join(each)}]")
RANGES = st.builds(
    lambda of, signs, low, high: f"{signs[0]}{of[min(low, high)]}..{of[max(low, high)]}{signs[1]}",
    st.sampled_from(
        [["-1", "0", "1", "2", "2.5", "10"], ["''", "'10'", "'a'", "'b'"], [*TIMES[:1] * 2, *TIMES[1:] * 2]]
    ),
    st.sampled_from(["[]", "[)", "(]", "()"]),
    st.integers(0, 3),
    st.integers(0, 3),
).filter(lambda text: (text.startswith("[") and text.endswith("]")) or not EMPTY.search(text))
CELLS = st.one_of(st.just("-"), st.just("-"), COMPARED, EQUAL, LISTED, RANGES, st.sampled_from(CONSTANTS))
VALUES: list[Any] = [0, 1, 2, 2.0, 2.5, -1, 10, 2**53 + 1, 2.0**53, 1e300, 11, "a", "b", "", "10", "é", "z", ".."]
VALUES += [True, False, None, [], [1], {}, {"a": 1}]
TIME_TEXTS = ["2025-01-01T00:00:00Z", "2025-01-01T23:00:00Z", "2026-01-01T00:00:00Z", "no time"]


def table(hit: str, inputs: list[str], rows: list[list[str]]) -> Table:
    """As it is read from a file."""
    said = [[*row, {"place": place}] for place, row in enumerate(rows)]
    tables = {"t": {"inputs": inputs, "outputs": ["place"], "hit": hit, "rows": said}}
    return load_sources({"rules.yaml": json.dumps({"ruleset": "t", "tables": tables}, ensure_ascii=False)}).tables["t"]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    inputs = draw(st.lists(st.sampled_from(INPUTS), min_size=1, max_size=3))
    row = st.tuples(*(CELLS for _ in inputs)).map(list)
    rows = draw(st.lists(row, min_size=1, max_size=12))
    return table(draw(st.sampled_from(["first", "collect"])), inputs, rows)


DATA = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from(VALUES),
        "b": st.sampled_from(VALUES),
        "t": st.sampled_from(TIME_TEXTS),
        "l": st.lists(st.sampled_from(VALUES), max_size=1),
    },
)


def answer(ask: Any) -> Any:
    try:
        return ask()
    except cel.CelEvaluationError as error:
        return type(error), error.message


def naive(made: Table, data: Any) -> Any:
    """By CEL: a row is one text, made of those of its inputs and cells."""
    found: list[int] = []
    for place, row in enumerate(made.rows):
        pairs = zip(row.cells, made.inputs, strict=True)
        said = [cell_text(cell.text, read.text) for cell, read in pairs if cell.text != "-"]
        if holds(" && ".join(said) or "true", {"event": {"data": data}}):
            found.append(place)
            if made.hit == "first":
                break
    return found


def inputs_of(made: Table, data: Any) -> list[Any]:
    return [value(each.text, data) for each in made.inputs]


def value(text: str, data: Any) -> Any:
    try:
        return cel.compile(text)({"event": {"data": data}})
    except cel.CelEvaluationError as error:
        return error.again()


def quick(made: Table, found: Index, given: list[Any]) -> Any:
    """What the fast functions answer, or "elsewhere" if they raise."""
    if any(isinstance(each, cel.CelEvaluationError) for each in given):
        return "elsewhere"
    try:
        if made.hit == "collect":
            return found.collect()(*given)
        return found.first([[place] for place in range(len(made.rows))], [])(*given)
    except (KeyError, TypeError):
        return "elsewhere"


@given(tables(), st.lists(DATA, min_size=1, max_size=6), st.sampled_from([1, 2, 3, 1024]))
@settings(deadline=None, max_examples=200)
def test_index_and_exact_evaluator_say_what_cel_says_of_the_text(made: Table, many: list[Any], size: int) -> None:
    with mock.patch.object(index, "BLOCK", size):
        found = Index(made)
    for data in many:
        said = answer(lambda data=data: naive(made, data))
        given = inputs_of(made, data)
        assert answer(lambda given=given: cells.hits(made, given)) == said
        assert answer(lambda given=given: found.hits(given)) == said
        assert quick(made, found, given) in (said, "elsewhere")


def test_fast_functions_answer_wherever_no_cell_can_be_in_error() -> None:
    made = table("first", ["event.data.a", "event.data.b"], [[">= 10", "'x'"], ["[1..10)", "-"], ["-", "!= 'y'"]])
    first = Index(made).first(range(3), -1)
    assert [first(*given) for given in [(10, "x"), (10.5, "z"), (3, None), (0, "y"), (0, [1])]] == [0, 2, 1, -1, 2]
    with pytest.raises(KeyError):
        first("10", "x")


def test_a_value_of_no_kind_of_cel_is_an_error_where_a_cell_looks_at_it() -> None:
    made = table("collect", ["event.data.a"], [["-"], ["!= 1"]])
    with pytest.raises(cel.CelEvaluationError, match="not a value of CEL"):
        Index(made).hits([object()])


class Amount(float):
    """As some decoders give them."""


def test_values_of_derived_classes_are_what_they_are_derived_from() -> None:
    made = table("first", ["event.data.a"], [["> 5"], ["-"]])
    assert Index(made).hits([Amount(6)]) == [0]


@pytest.mark.parametrize(("a", "hits"), [(False, [1]), (True, None)])
def test_what_costs_too_much_is_absorbed_by_no_cell_behind_it(a: bool, hits: list[int] | None) -> None:
    costly = "event.data.l.all(x, event.data.l.all(y, x <= y || x >= y))"
    made = table("first", ["event.data.a", costly], [["true", "true"], ["-", "-"]])
    given = inputs_of(made, {"a": a, "l": list(range(600))})
    assert isinstance(given[1], cel.CelBudgetError)
    for ask in (Index(made).hits, lambda given: cells.hits(made, given)):
        if hits is None:
            with pytest.raises(cel.CelBudgetError):
                ask(given)
        else:
            assert ask(given) == hits
