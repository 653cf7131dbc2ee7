"""Fields of an `index` that the projection never has."""

from __future__ import annotations

from collections.abc import Iterator

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, did_you_mean, shown


def check(context: Context) -> Iterator[Diagnostic]:
    for projection in context.ruleset.projections.values():
        if not projection.fold:
            continue
        fields = {name for name, _ in projection.initial}
        fields.update(name for _, named in projection.fold for name, _ in named)
        for field, span in zip(projection.index, projection.index_spans, strict=True):
            if field not in fields:
                message = f"projection {shown(projection.name)} folds no field {shown(field)}"
                hint = did_you_mean(field, fields)
                yield context.at(span, len(field), "error", "unknown-field", message, hint)
