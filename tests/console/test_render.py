"""What a value is for people: escaped, bounded, and never a number where nothing is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from orchestrator.console.render import LONGEST_NAME, ago, as_json, count, in_line, link, rate, render, seconds, visible


def test_nothing_known_is_no_number() -> None:
    for shown in (count(None), rate(None), seconds(None), ago(None, 0)):
        assert "N/A" in shown
        assert "0" not in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0000123, "12 µs"),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (86_400 * 3, "3 d"),
        (86_400 * 4000, "4,000 d"),
    ],
)
def test_a_duration_is_one_figure_and_its_unit(value: float, shown: str) -> None:
    assert seconds(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (0.01, "<0.1"), (1.25, "1.2"), (12_345.6, "12,346")])
def test_a_rate_is_zero_only_where_nothing_happens(value: float, shown: str) -> None:
    assert rate(value) == shown


@given(st.text())
def test_no_text_is_more_than_text(text: str) -> None:
    shown = visible(text)
    assert isinstance(shown, Markup)
    rest = shown.replace('<span class="hidden-sign">', "").replace('<span class="unknown">', "").replace("</span>", "")
    assert "<" not in rest
    assert ">" not in rest
    assert all(sign.isprintable() for sign in shown)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_value_is_rendered_and_bounded(row: dict[str, object]) -> None:
    assert len(in_line(row, 50)) <= 51
    assert as_json(row).startswith("{")


def test_a_long_name_is_cut() -> None:
    assert len(visible("x" * 100_000)) == LONGEST_NAME + 1


def test_an_address_carries_any_key() -> None:
    assert link("/a", key="x/../y?&#\n", other=None) == "/a?key=x%2F..%2Fy%3F%26%23%0A"
    assert link("/a", key="") == "/a?key="
    assert link("/a") == "/a"


def test_text_that_is_no_unicode_is_shown_with_backslashes() -> None:
    values = dict.fromkeys(("here", "again", "said"), "")
    shown = {
        **values,
        "title": "\ud800",
        "every": None,
        "places": (),
        "as_of": 0,
        "status_line": "ok",
        "disarmed": False,
        "detail": "\udfff",
    }
    assert b"\\udfff" in render("problem.html", shown)
