"""The rule sets under examples/: without findings, in form, and as their own tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.formatting import formatted
from rules.load import load_sources
from rules.testing import run_tests

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/rules.yaml"))
"""Findings that say what delivery does not do yet."""


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_an_example_has_tests_that_pass_no_findings_and_the_form_of_rules_fmt(file: Path) -> None:
    text = file.read_text("utf-8")
    ruleset = load_sources({"rules.yaml": text})
    assert [each.render() for each in ruleset.warnings] == []
    assert [outcome.report for outcome in run_tests(ruleset) if not outcome.passed] == []
    assert formatted("rules.yaml", text.encode()) == text
