"""What an expression reads, and what an index can use of it."""

from __future__ import annotations

import pytest

from rules import cel


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.data.amount > limit", {("event", "data", "amount"), ("limit",)}),
        ("has(event.data.x) && event.data.x.y", {("event", "data", "x"), ("event", "data", "x", "y")}),
        ("event.items.exists(i, i.a > max && i.b.all(t, t == e.f))", {("event", "items"), ("max",), ("e", "f")}),
        ("x.map(x, x.y)", {("x",)}),
        ("x[0].y + f[x.z]", {("x",), ("f",), ("x", "z")}),
        ("{a.b: c.d}.e", {("a", "b"), ("c", "d")}),
        ("1 + 2", set()),
        ("sum(event.data.amount) > 3", {("event", "data", "amount")}),
    ],
)
def test_paths_are_the_longest_that_are_read(text: str, expected: set[cel.Path]) -> None:
    node = cel.parse(text, ["sum"])
    assert cel.paths(node) == expected
    assert cel.names(node) == {path[0] for path in expected}


def test_conjuncts_are_those_of_the_top() -> None:
    text = "a == 1 && (b == 2 || c == 3) && (d == 4 && e == 5)"
    found = [text[node.start : node.end] for node in cel.conjuncts(cel.parse(text))]
    assert found == ["a == 1", "b == 2 || c == 3", "d == 4", "e == 5"]
    assert len(cel.conjuncts(cel.parse("a || b"))) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.data.region == 'EU'", (("event", "data", "region"), ("EU",))),
        ("'EU' == event.data.region", (("event", "data", "region"), ("EU",))),
        ("a == 7.0", (("a",), (7,))),
        ("a == true", (("a",), (True,))),
        ("a in ['x', 1, false]", (("a",), ("x", 1, False))),
        ("a in [1.0, 2.5]", (("a",), (1, 2.5))),
        ("a == -1", (("a",), (-1,))),
    ],
)
def test_equality_with_constants_is_found(text: str, expected: tuple[cel.Path, tuple[object, ...]]) -> None:
    found = cel.equality(cel.parse(text))
    assert found == expected
    assert found is not None
    assert [type(constant) for constant in found[1]] == [type(constant) for constant in expected[1]]


@pytest.mark.parametrize(
    "text",
    [
        "a != 1",
        "a > 1",
        "a == b",
        "a == null",
        "a in [null]",
        "a in []",
        "a in b",
        "a in ['x', b]",
        "'x' in a",
        "f[0] == 1",
        "[1] == a",
        "1 == 1",
        "a == [1]",
        "!(a == 1)",
        "size(a) == 1",
    ],
)
def test_anything_else_is_no_equality(text: str) -> None:
    assert cel.equality(cel.parse(text)) is None


def test_walk_visits_every_node_in_the_order_of_the_text() -> None:
    text = "a.b + c[d] == e ? f : g(h)"
    names = [text[node.start : node.end] for node in cel.walk(cel.parse(text, ["g"])) if type(node).__name__ == "Name"]
    assert names == ["a", "c", "d", "e", "f", "h"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b > 1", (("a", "b"), ">", 1)),
        ("1 < a.b", (("a", "b"), ">", 1)),
        ("2.5 >= a", (("a",), "<=", 2.5)),
        ("a <= 'x'", (("a",), "<=", "x")),
    ],
)
def test_an_order_with_a_constant_is_found(text: str, expected: tuple[cel.Path, str, object]) -> None:
    found = cel.ordering(cel.parse(text))
    assert found is not None
    assert (cel.path(found[0]), *found[1:]) == expected


@pytest.mark.parametrize("text", ["a == 1", "a > b", "a > 1 || b", "!(a > 1)", "a"])
def test_anything_else_is_no_order_with_a_constant(text: str) -> None:
    assert cel.ordering(cel.parse(text)) is None
