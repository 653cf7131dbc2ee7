"""No text is slow to read, and no evaluation runs away."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from rules import cel
from tests.rules.cel.conftest import Evaluate

DEEPEST = "(" * 32 + "1" + ")" * 32


def refused(text: str) -> str:
    with pytest.raises(cel.CelSyntaxError) as caught:
        cel.compile(text)
    return caught.value.message


def test_length_nesting_and_parts_are_bounded() -> None:
    assert cel.compile(DEEPEST)({}) == 1
    assert refused(f"({DEEPEST})") == "brackets are nested deeper than 32"
    assert refused("1" + " " * 4_000) == "the expression is longer than 4000 characters"
    assert cel.compile("'" + "a" * 3_998 + "'")({}) == "a" * 3_998
    assert cel.compile("+".join(["1"] * 250))({}) == 250
    assert refused("+".join(["1"] * 251)) == "the expression has more than 500 parts"


def test_comprehensions_nest_at_most_twice() -> None:
    assert cel.compile("[1].map(x, [2].map(y, x + y)).map(z, z)")({}) == [[3]]
    assert refused("[1].map(x, [2].map(y, [3].map(z, z)))") == "`map` is nested deeper than 2"


CHAINS: list[tuple[str, Any]] = [
    ("!" * 498 + "true", True),
    ("-" * 498 + "x", 1),
    ("- " * 498 + "x", 1),
    ("x" + " + x" * 249, 250),
    ("x" + " == x" * 249, False),
    ("x == 2 ? 0 : " * 99 + "7", 7),
    (" || ".join(["x == 2"] * 124), False),
    (" && ".join(["x == 1"] * 124), True),
    ("m" + ".m" * 499, "absent"),
    ("l" + "[0]" * 249, "error"),
    ("[1]" + ".map(y, y)" * 160, [1]),
    ("'a'" + ".size()" * 400, "error"),
    ("has(m" + ".m" * 490 + ")", False),
    ("!(" * 31 + "true" + ")" * 31, False),
    ("x + -(x == x ? x * " * 30 + "x" + " : x)" * 30, "number"),
    ("[" * 32 + "]" * 32, "list"),
]


@pytest.mark.parametrize(("text", "expected"), CHAINS, ids=[text[:20] for text, _ in CHAINS])
def test_long_chains_are_read_checked_and_evaluated(evaluate: Evaluate, text: str, expected: Any) -> None:
    variables: dict[str, Any] = {"x": 1, "m": {}, "l": []}
    env = {"x": cel.types.NUMBER, "m": cel.types.MapOf(cel.types.ANY), "l": cel.types.ANY}
    node = cel.parse(text)
    with suppress(cel.CelCheckError):
        cel.check(node, env, text)
    if expected in ("absent", "error"):
        with pytest.raises(cel.CelEvaluationError):
            evaluate(text, **variables)
    elif isinstance(expected, str):
        evaluate(text, **variables)
    else:
        assert evaluate(text, **variables) == expected


ADVERSARIAL = [
    "(" * 4_000,
    "[" * 31 + "1," * 1_900,
    ",".join(["()"] * 1_300),
    "'" + "\\a" * 1_999,
    '"""' + '\\"' * 1_998,
    "r'" * 2_000,
    "!" * 4_000,
    "-" * 4_000,
    "a?" * 2_000,
    "a?b:" * 1_000,
    "a." * 2_000,
    "9" * 4_000,
    "1." * 2_000,
    "1e" * 2_000,
    "`" * 4_000,
    "//" * 2_000,
    "\n" * 4_000,
    "{" * 32 + "}" * 32,
    "((a))," * 660,
    "(((((((a)))))))+" * 240,
    "f(" * 32 + ")" * 32,
    "a" * 1_000_000,
    " " * 1_000_000,
    "'" * 1_000_000,
    "a.b" + "[((((1))))]" * 300,
    "$" * 4_000,
    "\x00" * 4_000,
    "\ud800" * 4_000,
]


@pytest.mark.parametrize("text", ADVERSARIAL, ids=[repr(text[:8]) for text in ADVERSARIAL])
def test_no_text_is_slow_to_refuse(text: str) -> None:
    with pytest.raises(cel.CelError):
        cel.compile(text)(dict[str, object]())


@pytest.mark.parametrize(
    "text",
    [
        "l.map(x, l.map(y, s + s))",
        "l.map(x, l.map(y, [x, y]))",
        "l.map(x, l + l)",
        "l.all(x, l.all(y, size(s + s) > 0))",
        "l.filter(x, l.exists(y, y.matches(s + string(y))))",
        "[s].map(x, x + x + x + x)" + ".map(x, x + x + x + x)" * 20,
        "[l].map(x, x + x + x + x)" + ".map(x, x + x + x + x)" * 20,
        "l.map(x, l.exists(y, big + 'x' == big + 'y'))",
        "l.map(x, l.exists(y, nested == nested2))",
        # the budget is no error that logic absorbs
        "l.map(x, l.map(y, s + s)) == [] || true",
        "l.exists(x, l.map(y, s + s) == [] && l.map(y, s + s) == [] || x == 299)",
    ],
)
def test_a_costly_evaluation_ends_with_the_budget(text: str) -> None:
    items = list(range(300))
    variables = {"l": items, "s": "abcdefghij" * 100, "big": "b" * 500_000}
    variables |= {"nested": [items] * 100, "nested2": [list(items) for _ in range(100)]}
    program = cel.compile(text)
    with pytest.raises(cel.CelBudgetError):
        program(variables)
    assert isinstance(program.explain(variables).error, cel.CelBudgetError)


def test_values_cannot_double_from_one_evaluation_to_the_next() -> None:
    text, items = cel.compile("s + s"), cel.compile("[s, s, s, s, s, s, s, s, s, s]")
    value = "abc"
    for _ in range(18):
        value = text({"s": value})
    with pytest.raises(cel.CelBudgetError):
        text({"s": value + value})
    shared: Any = "abc"
    for _ in range(20):
        shared = items({"s": shared})
    with pytest.raises(cel.CelBudgetError):
        cel.payload(shared)
    with pytest.raises(cel.CelBudgetError):
        cel.compile("a == b")({"a": shared, "b": [*shared]})


def test_deep_values_are_an_error_and_not_a_crash() -> None:
    deep: Any = []
    other: Any = []
    for _ in range(50_000):
        deep, other = [deep], [other]
    for text in ("a == b", "a in [b]", "[a] == [b]", "{'a': a} == {'a': b}"):
        with pytest.raises(cel.CelEvaluationError):
            cel.compile(text)({"a": deep, "b": other})
    with pytest.raises(cel.CelEvaluationError):
        cel.payload(deep)
    with pytest.raises(cel.CelEvaluationError):
        cel.template("a ${a}")({"a": deep})


def test_patterns_are_bounded() -> None:
    with pytest.raises(cel.CelCheckError, match="longer than 1000"):
        cel.compile(f"x.matches('{'a' * 1_001}')")
    with pytest.raises(cel.CelEvaluationError, match="longer than 1000"):
        cel.compile("x.matches(y)")({"x": "a", "y": "a" * 1_001})
    with pytest.raises(cel.CelCheckError, match="not RE2"):
        cel.compile("x.matches('((a{100}){100}){100}')")
    assert cel.compile("x.matches('(a+)+$')")({"x": "a" * 100_000 + "b"}) is False


@pytest.mark.parametrize(
    "template", ["${l.map(x, big)}", "of ${l.map(x, big)}", "${{'a': l.map(x, big)}}", "${l.map(x, m)}"]
)
def test_a_result_that_holds_one_text_often_is_not_written_out(template: str) -> None:
    big = "b" * 100_000
    with pytest.raises(cel.CelBudgetError, match="the result has more than 1000000 characters"):
        cel.template(template)({"l": list(range(10_000)), "big": big, "m": {big: 1}})


def test_text_of_many_parts_is_bounded_before_it_is_put_together() -> None:
    with pytest.raises(cel.CelBudgetError, match="the text has more than"):
        cel.template("${big}" * 150)({"big": "b" * 900_000})


SPREADING = "x.matches('((a?){100}){10}b')"  # RE2's automaton outgrows its memory


@pytest.mark.parametrize("text", [SPREADING, f"{SPREADING} || true", f"[1].exists(y, {SPREADING})", "x.matches(y)"])
def test_a_large_pattern_does_not_search_a_long_text(text: str) -> None:
    program = cel.compile(text)
    variables = {"x": "a" * 100_000, "y": "((a?){100}){10}b"}
    with pytest.raises(cel.CelBudgetError, match="too long for so large a pattern"):
        program(variables)
    assert isinstance(program.explain(variables).error, cel.CelBudgetError)
    assert program({**variables, "x": "aaab"}) is True


def test_patterns_of_usual_size_search_texts_of_usual_length() -> None:
    assert cel.compile("x.matches('^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$')")({"x": "a" * 10_000}) is False
    assert cel.compile(r"x.matches('[a-z]+@[a-z]+\\.[a-z]{2,}')")({"x": "é" * 9_000 + " a@b.cc"}) is True


@pytest.mark.parametrize(
    "text",
    [" || ".join(["x.matches('((a?){20}){10}b')"] * 60), " && ".join(["a == b"] * 120), " && ".join(["a in [b]"] * 60)],
    ids=["patterns", "equality", "membership"],
)
def test_many_costly_operations_have_one_budget(text: str) -> None:
    program = cel.compile(text)
    variables = {"x": "a" * 10_000, "a": list(range(50_000)), "b": list(range(50_000))}
    with pytest.raises(cel.CelBudgetError):
        program(variables)
    assert isinstance(program.explain(variables).error, cel.CelBudgetError)


def test_looking_for_a_list_among_lists_is_bounded() -> None:
    with pytest.raises(cel.CelBudgetError):
        cel.compile("a in b")({"a": [*range(10_000), "x"], "b": [[*range(10_000), "y"]] * 10_000})
