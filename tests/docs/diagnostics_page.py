"""Writes docs/diagnostics.md from the catalogue of codes: `python -m tests.docs.diagnostics_page`."""

from itertools import chain

from rules.codes import CATALOGUE, Code
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/diagnostics.md"

HEAD = """# What `rules check` says

Every finding has a code in square brackets behind its message. This page says of each code what it means and what to
do. It is written from [the catalogue in the code](../rules/codes.py); [Checking rules](checking.md) shows the checks at
work, and how code hosts and editors take what they find.

An **error** makes a rule set unusable: it is not activated, and `rules check` ends with status 1. A **warning** is
probably a mistake. A **note** says what may surprise. A finding may be graver, or less grave, than its code mostly is.

| code | mostly | meaning |
|---|---|---|
"""


def page() -> str:
    lines = (f"| [`{code.id}`](#{code.id}) | {code.severity} | {code.short} |\n" for code in CATALOGUE)
    return "".join(chain([HEAD], lines, map(_section, CATALOGUE)))


def _section(code: Code) -> str:
    return f"\n## {code.id}\n\n{code.short}. {code.help}\n"


if __name__ == "__main__":
    PAGE.write_text(page())
