"""What an exact window holds in parts says the same as one plain list, through any commits."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.cel import CelEvaluationError
from rules.nodes.exact_view import ExactView
from rules.nodes.kept_column import different, greatest, least
from rules.nodes.window_elements import BEFORE, FIRST, OLDER, PACKED, PART, Elements
from streams.state import Cell, decode_cell, encode_cell

FUNCTIONS = ("sum", "avg", "min", "max", "distinct", "first", "last")
Row = tuple[int, Any]


def elements() -> Elements:
    return Elements(2, True, (1,), (1,), (1,))


def through_a_cell(state: list[Any]) -> list[Any]:
    cell = decode_cell(encode_cell(Cell(nodes={"w": state})))
    made: list[Any] = cell.nodes["w"]
    return made


def plainly(function: str, rows: list[Row]) -> Any:
    values = [value for _, value in rows]
    match function:
        case "sum":
            return sum(values)
        case "avg":
            return sum(values) / len(values)
        case "min":
            return least(values)
        case "max":
            return greatest(values)
        case "distinct":
            return different(values)
        case _:
            return values[0 if function == "first" else -1]


@given(st.integers(0, 2**32), st.sampled_from([0, 1, 400]), st.sampled_from([0, 1, 300]), st.integers(300, 900))
@settings(deadline=None, max_examples=25)
def test_parts_say_what_a_plain_list_says(seed: int, disorder: int, jitter: int, held: int) -> None:
    """Times go up, with as much disorder; `jitter` is how far what is looked at moves about."""
    chance = random.Random(seed)
    window, rows = elements(), list[Row]()
    state = window.empty(0, 0)
    for step in range(1_200):
        time = step - chance.randint(0, disorder)
        value = chance.randint(-5, 5)
        window.insert(state, [time, value])
        at = sum(other <= time for other, _ in rows)
        rows.insert(at, (time, value))
        if len(rows) > held:
            window.drop(state, len(rows) - held)
            del rows[: len(rows) - held]
        start = min(chance.randint(0, jitter), len(rows) - 1)
        window.look_from(state, start)
        if step % 7:
            continue
        stop = min(max(start + 1, len(rows) - chance.randint(0, jitter)), len(rows))
        state = through_a_cell(state)
        view = ExactView(window, state, start, stop)
        assert window.total(state) == len(rows)
        assert window.upto(state, time) == sum(other <= time for other, _ in rows)
        assert view.value("count", None) == stop - start
        for function in FUNCTIONS:
            found = view.value(function, 0)
            assert found == pytest.approx(plainly(function, rows[start:stop]), rel=1e-12), function


def test_full_parts_are_bytes_that_a_commit_copies() -> None:
    window = elements()
    state = window.empty(0, 0)
    for time in range(10_000):
        window.insert(state, [time, time % 100])
    parts = state[OLDER]
    assert len(parts) > 10_000 / PART - 3
    assert all(isinstance(part[PACKED], bytes) for part in parts)
    assert len(state[FIRST]) < 2 * PART
    window.drop(state, 100)
    assert [isinstance(part[PACKED], bytes) for part in state[OLDER]].count(False) == 1


def test_a_window_that_shrinks_again_is_as_plain_as_before() -> None:
    window = elements()
    state = window.empty(0, 0)
    for time in range(1_000):
        window.insert(state, [time, 1])
    window.drop(state, 999)
    assert state[1:] == [[999], 0, None, None, None, [1]]


def test_values_of_several_kinds_have_no_least_one_in_parts_either() -> None:
    window = Elements(2, True, (), (1,), ())
    state = window.empty(0, 0)
    for time in range(1_000):
        window.insert(state, [time, "a" if time == 500 else time])
    with pytest.raises(CelEvaluationError, match="cannot compare"):
        ExactView(window, state, 0, 1_000).value("min", 0)
    window.look_from(state, 501)
    assert ExactView(window, state, state[BEFORE], 1_000).value("min", 0) == 501
