"""What reads as an expression, and what an author is told where something does not."""

from __future__ import annotations

from typing import Any

import pytest

from rules import cel
from tests.rules.cel.conftest import Evaluate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2,]", [1, 2]),
        ("{'a': 1,}", {"a": 1}),
        ("[]", []),
        ("{}", {}),
        ("1 // a comment", 1),
        ("// first\n1 +\n  2 // last", 3),
        ("'a//b'", "a//b"),
        ("r\"\\d\" + R'\\\\'", "\\d\\\\"),
        ("'''a'b\n''' + \"\"\"c\"d\"\"\"", "a'b\nc\"d"),
        ("r'''\\n'''", "\\n"),
        (r"'\a\b\f\n\r\t\v\\\?\"\'\`'", "\a\b\f\n\r\t\v\\?\"'`"),
        (r"'\x41\101\u00e9\U0001D11E'", "AAé𝄞"),
        ("''", ""),
        ('""', ""),
        ("x.as", 1),
        ("x.in", 2),
        ("x.true", 3),
        ("x.`b-c d`", 4),
        ("has(x.`b-c d`) && has(x.in)", True),
        (".x.as", 1),
        ("[1].map(y, .x.as)", [1]),
        ("(((1)))", 1),
        ("!!true", True),
        ("--1", 1),
        ("- - 1", 1),
        ("true ? (false ? 1 : 2) : 3", 2),
        ("false ? 1 : true ? 2 : 3", 2),
        ("1 + 2 * 3 - 4", 3),
        ("2 < 3 == true", True),
        ("false && false || true", True),
        ("-2 .size == 1 || true", True),
        ("-9223372036854775808", -(2**63)),
        ("{'a': {'b': 1}}.a.b", 1),
        ("[[1, 2]][0][1]", 2),
    ],
)
def test_all_of_cels_syntax_in_the_profile_is_read(evaluate: Evaluate, text: str, expected: Any) -> None:
    assert evaluate(text, x={"as": 1, "in": 2, "true": 3, "b-c d": 4}) == expected


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("a = 1", 3, "unexpected `=`", "use `==` to compare"),
        ("a === 1", 3, "unexpected `===`", "use `==` to compare"),
        ("a <> 1", 3, "unexpected `<>`", "use `!=` to compare"),
        ("a and b", 3, "unexpected `and`", "use `&&`"),
        ("a or b", 3, "unexpected `or`", "use `||`"),
        ("not a", 5, "unexpected `a`", "use `!`"),
        ("a is null", 3, "unexpected `is`", "use `==` to compare"),
        ("a not in b", 3, "unexpected `not`", "use `!`"),
        ("a & b", 3, "unexpected `&`", "use `&&`"),
        ("a | b", 3, "unexpected `|`", "use `||`"),
        ("'abc", 1, "the string is not closed", "it needs a `'` at its end"),
        ("a == \"x'", 6, "the string is not closed", 'it needs a `"` at its end'),
        ("'a\nb'", 1, "the string is not closed", "it needs a `'` at its end"),
        ("‘a’", 1, "unexpected `‘`", "use straight quotes"),
        ("`a`", 1, "only a field may stand in back-quotes", "a string needs `'` or `\"`"),
        ("a; b", 2, "unexpected `;`", "one expression, without `;`"),
        ("a # b", 3, "unexpected `#`", "comments begin with `//`"),
        ("${a}", 1, "unexpected `$`", "inside an expression names stand as they are, without `$`"),
        ("(a", 1, "`(` is not closed", None),
        ("a)", 2, "`)` closes nothing", None),
        ("[a)", 3, "`)` does not close `[`", "it was opened at 1:1"),
        ("a +", 4, "the expression ends too early", "something must follow `+`"),
        ("", 1, "the expression is empty", None),
        (" // nothing", 1, "the expression is empty", None),
        ("1a", 1, "a name cannot begin with a digit", None),
        (r"'\q'", 2, r"unknown escape `\q`", "a backslash itself is `\\\\`; or use r'…'"),
        (r"'\ud800'", 2, r"escape `\ud800` is not a character", None),
        ("for", 1, "`for` is a reserved word", "reserved words may only be fields, after a dot"),
        (
            "99999999999999999999",
            1,
            "the number does not fit in 64 bits",
            "write it with an exponent if it may be rounded",
        ),
        ("1e999", 1, "the number is too large", None),
        ("has(a)", 1, "`has` takes one field", "write `has(event.data.field)`"),
        ("[1].map(1, 2)", 9, "`map` needs a plain name first", "write `map(x, …)`"),
        ("[1].exists(x)", 5, "`exists` takes a name and an expression", "write `list.exists(x, …)`"),
        ("exists(x, y)", 1, "`exists` is called on a list or map", "write `list.exists(x, …)`"),
        ("a.int()", 3, "`int` is not called on a value", "write `int(…)`"),
        ("startsWith(a, 'b')", 1, "`startsWith` is called on a value", "write `x.startsWith(…)`"),
        ("siz(a)", 1, "unknown function `siz`", "did you mean `size`?"),
        ("a.startWith('b')", 3, "unknown function `startWith`", "did you mean `startsWith`?"),
        ("size(a, b)", 1, "`size` takes 1 argument, not 2", None),
        ("a.getHours(b, c)", 3, "`getHours` takes 0 or 1 arguments, not 2", None),
        ("f(1,)", 5, "unexpected `)`", None),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_hint(text: str, column: int, message: str, hint: str | None) -> None:
    with pytest.raises(cel.CelSyntaxError) as caught:
        cel.compile(text)
    error = caught.value
    assert (error.line, error.column, error.message, error.hint) == (1, column, message, hint)
    assert error.offset == column - 1
    assert error.offset <= error.end <= len(text)


def test_lines_and_columns_count_from_one() -> None:
    with pytest.raises(cel.CelSyntaxError) as caught:
        cel.compile("a ==\n  'é' && = 1")
    assert (caught.value.line, caught.value.column, caught.value.offset) == (2, 10, 14)
    assert str(caught.value) == "2:10: unexpected `=` (use `==` to compare)"


@pytest.mark.parametrize(
    "text",
    [
        "b'a'",
        "bR'a'",
        "1u",
        "0x1Fu",
        "type(a)",
        "a?.b",
        "a.?b",
        "a[?1]",
        "{?'a': 1}",
        "Name{}",
        "a.Name{b: 1}",
        "bytes('a')",
        "uint(1)",
        "math.greatest(1, 2)",
        "a.split(',')",
        "a.replace('b', 'c')",
        "optional.of(1)",
        "a.transformList(x, x)",
    ],
)
def test_what_is_not_in_the_profile_is_refused_by_name(text: str) -> None:
    with pytest.raises(cel.CelSyntaxError) as caught:
        cel.compile(text)
    assert "not in the profile" in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.matches('(')", "the pattern is not RE2: missing ): ("),
        ("matches(a, '(?=b)')", "the pattern is not RE2: invalid perl operator: (?="),
        ("timestamp('2024-13-01T00:00:00Z')", "`2024-13-01T00:00:00Z` is not a moment between the years 1 and 9999"),
        ("timestamp('yesterday')", "`yesterday` is not a timestamp such as 2024-01-31T12:30:00Z"),
        ("duration('1 hour')", "`1 hour` is not a duration such as 1h30m"),
        ("a.getHours('Europe/Berlni')", "unknown time zone `Europe/Berlni`"),
        ("{'a': 1, 'a': 2}", "the key stands twice in the map"),
    ],
)
def test_a_constant_that_cannot_be_read_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(cel.CelCheckError) as caught:
        cel.compile(text)
    assert caught.value.message == message
    assert text[caught.value.offset] == "'"


def test_compile_takes_text_alone() -> None:
    for other in (None, 1, b"1", ["1"]):
        with pytest.raises(cel.CelError):
            cel.compile(other)  # type: ignore[arg-type]


def test_a_program_knows_its_free_names() -> None:
    program = cel.compile("event.data.a > limit && [1].exists(x, x == y) && has(row.z)")
    assert program.names == {"event", "limit", "y", "row"}
