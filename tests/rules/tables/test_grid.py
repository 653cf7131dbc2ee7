"""What the checks say of rows and gaps is so: each place that they find is tried out, and where they find none there is
none among many values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from math import prod
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings

from rules import cel
from rules.cel.types import ANY, BOOL, INTEGER, NUMBER, STRING, Type
from rules.cel.values import kind
from rules.diagnostics import RuleErrors
from rules.model.table import Table
from rules.tables import cells
from rules.tables.grid import Grid, Patience
from tests.rules.tables.test_rows import table, tables

DAY = datetime(2025, 1, 1, tzinfo=UTC)
POOL: list[Any] = [-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.25, 2.5, 7, 10, 11, 2**53 + 1, 9e15, 1e300, 1.5e300]
POOL += ["", "'", "..", "0", "10", "1", "a", "aa", "b", "c", "é", "z", True, False, None, [], {}]
POOL += [DAY + timedelta(hours=hours) for hours in (-1, 0, 1, 23, 30)]
POOL += [timedelta(hours=hours) for hours in (0, 1, 2, 48, 50)]


def answer(made: Table, given: list[Any]) -> Any:
    """The rows that fit, or "error"."""
    try:
        return cells.hits(made, given)
    except cel.CelEvaluationError:
        return "error"


def some(pools: list[list[Any]]) -> Iterator[list[Any]]:
    """About three hundred of all combinations."""
    stride = max(1, prod(map(len, pools)) // 300) | 1
    return (list(given) for given in islice(product(*pools), 0, None, stride))


def named(made: Table) -> list[set[str]]:
    """For each input the kinds that its cells name."""
    return [
        {kind(constant) for row in made.rows for constant in row.cells[place].operands} or {"null"}
        for place, _ in enumerate(made.inputs)
    ]


@given(tables())
@settings(deadline=None, max_examples=80)
def test_a_gap_is_one_and_without_one_every_input_is_covered(made: Table) -> None:
    grid = Grid(made, [ANY] * len(made.inputs), [False] * len(made.inputs))
    place = grid.free(grid.before(len(made.rows)), grid.columns, Patience(10**6))
    if place is not None:
        rest = [column[0] for column in grid.columns[len(place) :]]
        assert answer(made, [piece.value for piece in [*place, *rest]]) == []
        return
    pools = [[value for value in POOL if kind(value) in kinds] for kinds in named(made)]
    assert all(answer(made, given) != [] for given in some(pools))


@given(tables())
@settings(deadline=None, max_examples=80)
def test_a_row_is_reached_by_the_place_that_was_found_for_it_or_by_nothing(made: Table) -> None:
    grid = Grid(made, [ANY] * len(made.inputs), [True] * len(made.inputs))
    for number, row in enumerate(made.rows):
        columns = grid.of_row(number)
        place = grid.free(grid.before(number), columns, Patience(10**6))
        if place is None:
            if made.hit == "first":
                assert all(answer(made, given) != [number] for given in some([POOL] * len(made.inputs)))
            continue
        rest = [column[0] for column in columns[len(place) :]]
        given = [piece.value for piece in [*place, *rest]]
        for before in made.rows[:number]:
            assert not cells.fits(before, given)
        try:
            assert cells.fits(row, given)
        except cel.CelEvaluationError:
            pass  # a row in error is reached, too


def gap(kind: Type, *rows: str) -> Any:
    made = table("first", ["event.data.a"], [[row] for row in rows])
    grid = Grid(made, [kind], [False])
    place = grid.free(grid.before(len(rows)), grid.columns, Patience(10**6))
    return None if place is None else place[0].value


def test_an_example_is_a_value_of_the_type_that_is_known() -> None:
    assert gap(NUMBER, "< 1", "> 1") == 1
    assert gap(NUMBER, "<= 1", ">= 2") == 1.5
    assert gap(INTEGER, "<= 1", ">= 2") is None
    assert gap(INTEGER, "<= 1", ">= 3") == 2
    assert gap(INTEGER, "< 2.5", "> 2.5") is None
    assert gap(NUMBER, "< 9007199254740993", "> 9007199254740993") == 9007199254740993
    assert gap(NUMBER, "in [1, 2]") == 0
    assert gap(BOOL, "true") is False
    assert gap(BOOL, "true", "false") is None
    assert gap(STRING, "'other'", "'another'") == "something else"
    assert gap(STRING, "< 'a'", "> 'b'") == "a"
    assert gap(STRING, "<= 'a'", ">= 'b'") == "aa"
    assert gap(STRING, ">= ''") is None


@pytest.mark.parametrize("columns", [2, 4])
def test_a_table_of_a_thousand_rows_is_read_and_searched_in_less_than_a_second(columns: int) -> None:
    rows = [[f"[{(7 * row + place) % 900}..{(11 * row) % 90 + 910}]" for place in range(columns)] for row in range(999)]
    began = process_time()
    made = table("first", [f"event.data.a{place}" for place in range(columns)], [*rows, ["-"] * columns])
    assert len(made.rows) == 1000
    assert process_time() - began < 1


@pytest.mark.parametrize(
    "cell", ["." * 5_000, "1.." * 1_300, "1," * 1_900, "in [" * 900, "(" * 3_000, "[" + "'" * 3_000, "not" * 1_300]
)
def test_a_cell_of_any_text_is_refused_quickly(cell: str) -> None:
    began = process_time()
    with pytest.raises(RuleErrors, match="bad-cell"):
        table("first", ["event.data.a"], [[cell]] * 40)
    assert process_time() - began < 2


def test_a_search_that_takes_too_long_ends_without_an_answer() -> None:
    rows = [[f"!= {place}" if place % 7 == column else "-" for column in range(7)] for place in range(60)]
    made = table("first", [f"event.data.a{place}" for place in range(7)], rows)
    grid = Grid(made, [NUMBER] * 7, [False] * 7)
    patience = Patience(3)
    assert grid.free(grid.before(60), grid.columns, patience) is None
    assert patience.steps < 0
