"""What can be said of a rule set before any event comes: one check a file, each named for what it looks at.

`rules.load` runs all of them on every rule set, also on one with errors of reading, of which the broken parts are left
out (a broken projection is there without folds). A check is pure and quick: together they take no second for thousands
of rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rules.checks.place import Line
from rules.diagnostics import Diagnostic
from rules.ruleset import RuleSet

Check = Callable[[RuleSet, Line], Iterator[Diagnostic]]
CHECKS: Final[tuple[Check, ...]] = ()


def check(ruleset: RuleSet, line_of: Line) -> Iterator[Diagnostic]:
    """All that all checks find, in no order. `line_of` gives the text of a line of a file."""
    for each in CHECKS:
        yield from each(ruleset, line_of)
