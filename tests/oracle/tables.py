"""Decision tables done naively: each row is one CEL text, made of the texts of its inputs and cells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rules import cel
from rules.model.source import TemplateText
from rules.model.table import Row, Table


def condition(read: str, cell: str) -> str:
    """A cell as CEL; "" for `-`."""
    cell = cell.strip()
    if cell == "-":
        return ""
    ranged = re.fullmatch(r"([\[(])(.*)\.\.(.*)([\])])", cell)
    if ranged:
        low, high = (">=" if ranged[1] == "[" else ">"), ("<=" if ranged[4] == "]" else "<")
        return f"({read}) {low} {ranged[2]} && ({read}) {high} {ranged[3]}"
    if re.match(r"==|!=|<|>|in\b", cell):
        return f"({read}) {cell}"
    return f"({read}) == {cell}"


def row_condition(inputs: list[str], cells: list[str]) -> str:
    return " && ".join(filter(None, map(condition, inputs, cells))) or "true"


def fits(table: Table, row: Row, variables: Mapping[str, Any]) -> bool:
    """Raises CelEvaluationError."""
    text = row_condition([read.text for read in table.inputs], [cell.text for cell in row.cells])
    return cel.compile(text)(variables) is True


def decide(table: Table, variables: Mapping[str, Any]) -> Any:
    """What the table says. Raises CelEvaluationError."""
    said = []
    for row in table.rows:
        if fits(table, row, variables):
            said.append(row)
            if table.hit == "first":
                break
    shown = [filled(row.outputs, variables) for row in said]
    return shown if table.hit == "collect" else shown[0] if shown else {}


def decisions(tables: Mapping[str, Table], variables: Mapping[str, Any]) -> dict[str, Any]:
    """All tables, each with what it says or with its error."""
    made: dict[str, Any] = {}
    for name, table in tables.items():
        try:
            made[name] = decide(table, variables)
        except cel.CelEvaluationError as error:
            made[name] = error.again()
    return made


def filled(payload: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(payload, TemplateText):
        return payload.template(variables)
    if isinstance(payload, dict):
        return {key: filled(value, variables) for key, value in payload.items()}
    if isinstance(payload, list):
        return [filled(value, variables) for value in payload]
    return payload
