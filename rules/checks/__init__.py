"""What can be said of a rule set before any event comes: one check a file, each named for what it looks at.

`rules.load` runs all of them on every rule set, also on one with errors of reading, of which the broken parts are left
out (a broken projection is there without folds). A check is pure and quick: together they take no second for thousands
of rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rules.checks import (
    aggregates,
    always_true,
    event_types,
    expressions,
    fields,
    first_value,
    index_fields,
    let_values,
    loops,
    never_true,
    optional_fields,
    other_key,
    other_rows,
    same_rule,
    step_names,
    table_cells,
    table_gaps,
    table_reads,
    table_rows,
    table_unused,
    unbounded_state,
    versions,
    whole_set,
)
from rules.checks.context import Context
from rules.diagnostics import Diagnostic
from rules.pointing import Line
from rules.ruleset import RuleSet

Check = Callable[[Context], Iterator[Diagnostic]]
CHECKS: Final[tuple[Check, ...]] = (
    aggregates.check,
    expressions.check,
    fields.check,
    optional_fields.check,
    other_rows.check,
    other_key.check,
    let_values.check,
    step_names.check,
    never_true.check,
    always_true.check,
    first_value.check,
    index_fields.check,
    event_types.check,
    same_rule.check,
    loops.check,
    unbounded_state.check,
    table_reads.check,
    table_unused.check,
    table_cells.check,
    table_rows.check,
    table_gaps.check,
    versions.check,
    whole_set.check,
)


def check(ruleset: RuleSet, line_of: Line) -> Iterator[Diagnostic]:
    """All that all checks find, in no order. `line_of` gives the text of a line of a file."""
    context = Context(ruleset, line_of)
    for each in CHECKS:
        yield from each(context)
