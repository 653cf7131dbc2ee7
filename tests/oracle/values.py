"""What expressions see and give: events as values, CEL with aggregates in it, payloads, decision tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from rules import cel
from rules.cel.numbers import normal
from streams.event import Event
from tests.oracle.document import Table

AGGREGATES = ("count", "sum", "avg", "min", "max", "distinct", "first", "last")
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
Variables = Mapping[str, Any]


def moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def event_value(event: Event) -> dict[str, Any]:
    return {
        **(event.extensions or {}),
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": moment(event.time),
        "data": json.loads(bytes(event.data)),
    }


@cache
def _program(text: str) -> cel.Program:
    return cel.compile(without_aggregates(text))


@cache
def _template(text: str) -> cel.Template:
    return cel.template(without_aggregates(text, template=True))


def evaluated(text: str, variables: Variables) -> Any:
    """Raises CelEvaluationError. Aggregates are variables by their own text (`without_aggregates`)."""
    return _program(text)(variables)


def holds(text: str | None, variables: Variables) -> bool:
    """A condition; none holds. Raises CelEvaluationError, also for what is no boolean."""
    if text is None:
        return True
    value = evaluated(text, variables)
    if value is not True and value is not False:
        raise cel.CelEvaluationError("not a boolean")
    return value


def filled(payload: Any, variables: Variables) -> Any:
    """A payload with its `${…}` evaluated. Raises CelEvaluationError."""
    if isinstance(payload, str):
        return _template(payload)(variables)
    if isinstance(payload, dict):
        return {key: filled(value, variables) for key, value in payload.items()}
    if isinstance(payload, list):
        return [filled(value, variables) for value in payload]
    return normal(payload) if isinstance(payload, float) else payload


# ------------------------------------------------------------------ aggregates in expressions


def _calls(text: str, template: bool) -> list[cel.Call]:
    node = cel.template(text, AGGREGATES).node if template else cel.parse(text, AGGREGATES)
    return [
        each
        for each in cel.walk(node)
        if isinstance(each, cel.Call) and each.target is None and each.function in AGGREGATES
    ]


def name_of(call: str) -> str:
    """The variable that stands for an aggregate."""
    return "aggregate_" + call.encode().hex()


@cache
def aggregates_in(text: str, template: bool = False) -> list[tuple[str, str, str | None]]:
    """(variable, function, argument) of each aggregate that an expression or payload text reads."""
    found = []
    for call in _calls(text, template):
        argument = text[call.arguments[0].start : call.arguments[0].end] if call.arguments else None
        found.append((name_of(text[call.start : call.end]), call.function, argument))
    return found


def without_aggregates(text: str, template: bool = False) -> str:
    """The text with each aggregate written as its variable."""
    for call in sorted(_calls(text, template), key=lambda call: -call.start):
        text = text[: call.start] + name_of(text[call.start : call.end]) + text[call.end :]
    return text


def aggregates_of(payload: Any) -> list[tuple[str, str, str | None]]:
    """Those of a whole payload."""
    if isinstance(payload, str):
        return aggregates_in(payload, template=True)
    inside = payload.values() if isinstance(payload, dict) else payload if isinstance(payload, list) else []
    return [found for each in inside for found in aggregates_of(each)]


# ------------------------------------------------------------------ decision tables


def looked_up(table: Table, variables: Variables) -> Any:
    """What a table says: a map, or with `collect` a list of them. Raises CelEvaluationError."""
    hits = []
    for cells, outputs in table.rows:
        said = [cell_text(cell, table.inputs[place]) for place, cell in enumerate(cells) if cell != "-"]
        if not holds(" && ".join(f"({each})" for each in said) or "true", variables):
            continue
        if table.hit == "first":
            return filled(outputs, variables)
        hits.append(filled(outputs, variables))
    return hits if table.hit == "collect" else {}


def cell_text(cell: Any, input: str) -> str:
    """The comparison that a cell stands for, as CEL."""
    if not isinstance(cell, str):
        return f"({input}) == {json.dumps(cell)}"
    if cell.startswith((*COMPARISONS, "in ", "in[")):
        return f"({input}) {cell}"
    if ".." in cell and cell[0] in "[(" and cell[-1] in "])":
        low, high = cell[1:-1].split("..")
        least, most = ">=" if cell[0] == "[" else ">", "<=" if cell[-1] == "]" else "<"
        return f"({input}) {least} ({low}) && ({input}) {most} ({high})"
    return f"({input}) == ({cell})"
