"""What is known, before any event, of what a table says."""

from __future__ import annotations

from rules.cel import types
from rules.model.source import Payload, TemplateText
from rules.model.table import Table


def decision_kind(table: Table) -> types.Type:
    """What is known of the table's value: an output is one of the constants that rows give it."""
    fields: dict[str, tuple[types.Type, bool]] = {}
    for output in table.outputs:
        kinds = [_kind(row.outputs[output]) for row in table.rows if output in row.outputs]
        known = kinds[0] if kinds else types.ANY
        for each in kinds[1:]:
            known = types.join(known, each)
        fields[output] = known, True
    said = types.Record(fields)
    return said if table.hit == "first" else types.ListOf(said)


def _kind(payload: Payload) -> types.Type:
    if isinstance(payload, bool):
        return types.BOOL
    if isinstance(payload, (int, float)):
        return types.NUMBER
    if isinstance(payload, TemplateText):
        return types.ANY if payload.template.whole else types.STRING
    if isinstance(payload, (dict, list)):
        return types.MapOf() if isinstance(payload, dict) else types.ListOf()
    return types.NULL if payload is None else types.STRING
