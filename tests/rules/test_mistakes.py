"""Every kind of mistake in a rule file is said where it stands, in words that help.

The cases are in `mistakes/*.txt`: a name behind `===`, the file, `::::`, and what an author gets to read.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules.diagnostics import MOST_ERRORS, Diagnostic, RuleErrors, render, well_said
from rules.load import load_sources

CASES = [
    pytest.param(text, rendered, id=f"{file.stem}: {name}")
    for file in sorted(Path(__file__).with_name("mistakes").glob("*.txt"))
    for name, text, rendered in re.findall(
        r"^=== (.*)\n((?:.*\n)*?)::::\n((?:.*\n)*?)(?=\n=== |\Z)", file.read_text("utf-8"), re.MULTILINE
    )
]


def diagnose(text: str | bytes) -> tuple[Diagnostic, ...]:
    try:
        return load_sources({"rules.yaml": text}).warnings
    except RuleErrors as error:
        return error.diagnostics


def test_the_cases_are_found() -> None:
    assert len(CASES) > 120


@pytest.mark.parametrize(("text", "rendered"), CASES)
def test_the_author_reads(text: str, rendered: str) -> None:
    assert render(diagnose(text)) == rendered.rstrip("\n")


@pytest.mark.parametrize(("text", "rendered"), CASES)
def test_line_ends_of_windows_change_no_place(text: str, rendered: str) -> None:
    assert render(diagnose(text.replace("\n", "\r\n"))) == rendered.rstrip("\n")


@pytest.mark.parametrize(
    ("body", "line", "column", "message", "hint"),
    [
        (b"ruleset: t\nx: \xff\n", 2, 4, "the byte 0xFF is not valid UTF-8", "save the file as UTF-8"),
        ("ruleset: t\n".encode("utf-16"), 1, 1, "the file is UTF-16", "save it as UTF-8"),
        (b"ruleset: a\0b\n", 1, 11, "the character U+0000 may not stand in a rule file", None),
        ("ruleset: a\u2028b\n", 1, 11, "the character U+2028 may not stand in a rule file", "\\u2028"),
        ("ruleset: a\ud800b\n", 1, 11, "the character U+D800 may not stand in a rule file", None),
        ("ruleset: a\n\ufeffx: b\n", 2, 1, "the character U+FEFF may not stand in a rule file", "\\uFEFF"),
        ("ruleset: a\r\n\x07x: b\n", 2, 1, "the character U+0007 may not stand in a rule file", "\\u0007"),
        ("a: " + "x" * 5_000_000, 1, 1, "the file is longer than 5,000,000 characters", "several files"),
        (b"a: " + b"x" * 21_000_000, 1, 1, "the file is longer than 5,000,000 characters", "several files"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(
    body: str | bytes, line: int, column: int, message: str, hint: str | None
) -> None:
    (found,) = diagnose(body)
    assert (found.line, found.column, found.message) == (line, column, message)
    assert (hint or "") in (found.hint or "")


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    with_mark, without = (load_sources({"r.yaml": mark + b"ruleset: t\n"}) for mark in (b"\xef\xbb\xbf", b""))
    assert with_mark.digest == without.digest


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "a:\n" + " - a" * 9])
def test_nesting_bombs_are_refused(text: str) -> None:
    assert diagnose(text)[0].code in ("yaml", "wrong-kind", "unknown-key")


def test_a_file_of_very_many_values_is_refused() -> None:
    (found,) = (each for each in diagnose("- a\n" * 600_000) if each.severity == "error")
    assert "more than 500,000 values" in found.message


def test_many_mistakes_are_found_at_once_and_their_number_is_bounded() -> None:
    text = "ruleset: t\nrules:\n" + "".join(
        f"  r{i}: {{on: a, when: oops, then: [{{alert: x}}]}}\n" for i in range(500)
    )
    with pytest.raises(RuleErrors) as raised:
        load_sources({"rules.yaml": text})
    assert len(raised.value.diagnostics) == MOST_ERRORS
    assert [each.line for each in raised.value.diagnostics] == list(range(3, 3 + MOST_ERRORS))
    assert raised.value.more
    assert "there are more errors" in str(raised.value)


def test_a_mistake_of_reading_does_not_hide_one_of_meaning() -> None:
    text = "ruleset: t\nrules:\n  a: {on: x}\n  b: {on: x, when: oops, then: [{alert: x}]}\n"
    assert [each.code for each in diagnose(text)] == ["missing", "expression"]


def test_what_reads_a_broken_projection_is_not_reported_too() -> None:
    text = "ruleset: t\nprojections: {p: {fold: {a: {n: 1 +}}}}\nrules: {r: {on: a, when: p.n > 1, then: [{alert: x}]}}"
    assert [each.line for each in diagnose(text)] == [2]


def test_a_long_line_is_shown_around_the_mistake() -> None:
    text = "rules: {r: {on: a, description: " + "long " * 100 + ", when: oops, then: [{alert: x}]}}"
    shown = render(each for each in diagnose("ruleset: t\n" + text) if each.severity == "error").splitlines()
    assert len(shown[1]) < 120
    assert shown[1][shown[2].index("^") :].startswith("oops")


def test_the_caret_stands_right_behind_wide_characters_and_tabs() -> None:
    shown = render(
        diagnose("ruleset: t\nrules: {r: {on: a, when: \"'日本' == oops\",\tthen: [{alert: x}]}}")
    ).splitlines()
    assert shown[2].index("^") == shown[1].index("oops") + 2


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("expected a key", True),
        ("`x` is missing", True),
        ("YAML reads this as a tag", True),
        ("Expected a key", False),
        ("expected a key.", False),
        ("two\nlines", False),
        ("", False),
    ],
)
def test_messages_have_one_style(text: str, well: bool) -> None:
    assert well_said(text) is well
    if not well:
        with pytest.raises(AssertionError):
            Diagnostic("error", "yaml", text, "f", 1, 1, 2)


def test_a_diagnostic_has_a_form_for_programs() -> None:
    (found,) = diagnose("ruleset: t\nrulez: {}\n")
    assert found.as_json() == {
        "severity": "error",
        "code": "unknown-key",
        "message": "a rule file has no `rulez`",
        "file": "rules.yaml",
        "line": 2,
        "column": 1,
        "end_column": 6,
        "hint": "did you mean `rules`?",
    }
