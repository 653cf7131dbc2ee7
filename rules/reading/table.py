"""`tables:`: decision tables."""

from __future__ import annotations

from typing import Final, Literal, cast

from rules.diagnostics import did_you_mean, one_of, shown
from rules.model.source import Expression, Payload, Span
from rules.model.table import Cell, Row, Table
from rules.node_id import table_digest
from rules.reading import names
from rules.reading.cell import cell
from rules.reading.expression import expression
from rules.reading.payload import payload
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar, Sequence, kind

KEYS: Final = ("description", "inputs", "outputs", "hit", "rows")
HITS: Final = ("first", "collect")


def table(reader: Reader, key: Scalar, node: Node) -> Table:
    """A table with an error is returned without rows, so that what reads it is not reported too."""
    before = reader.findings.errors
    name = names.variable(reader, key, "a table")
    what = f"table {shown(key.value)}"
    fields = reader.fields(node, what, KEYS)
    span = reader.span(key)
    broken = Table(key.value, (), (), "first", (), span)
    if fields is None:
        return broken
    if "description" in fields:
        reader.text(fields["description"], "`description`")
    for part in ("inputs", "outputs", "rows"):
        if part not in fields:
            reader.error(key, "missing", f"{what} is not whole: `{part}` is missing")
    inputs = _inputs(reader, fields["inputs"]) if "inputs" in fields else []
    outputs = _outputs(reader, fields["outputs"]) if "outputs" in fields else {}
    hit = reader.choice(fields["hit"], "`hit`", HITS) if "hit" in fields else "first"
    rows: list[Row] = []
    if "rows" in fields:
        items = reader.items(fields["rows"], "`rows`")
        if items == []:
            reader.error(fields["rows"], "missing", "`rows` holds no row")
        for item in items or []:
            made = _row(reader, item, inputs, outputs)
            if made is not None:
                rows.append(made)
    if name is None or hit is None or reader.findings.errors != before:
        return broken
    said = tuple(each for each in inputs if each is not None)
    digest = table_digest(said, hit, rows)
    decided = cast(Literal["first", "collect"], hit)
    return Table(name, said, tuple(outputs), decided, tuple(rows), span, tuple(outputs.values()), digest)


def _inputs(reader: Reader, node: Node) -> list[Expression | None]:
    items = reader.items(node, "`inputs`", "write `[event.data.amount]`" if isinstance(node, Scalar) else None)
    if items == []:
        reader.error(node, "missing", "`inputs` names nothing that rows could look at")
    return [expression(reader, item, "an input") for item in items or []]


def _outputs(reader: Reader, node: Node) -> dict[str, Span]:
    items = reader.items(node, "`outputs`", "write `[level]`" if isinstance(node, Scalar) else None)
    if items == []:
        reader.error(node, "missing", "`outputs` names nothing that rows could say")
    found: dict[str, Span] = {}
    for item in items or []:
        if not isinstance(item, Scalar):
            reader.error(item, "wrong-kind", f"an output is a name, not {kind(item)}")
            continue
        output = names.field(reader, item, "an output")
        if output in found:
            reader.error(item, "twice", f"{shown(item.value)} stands twice in `outputs`")
        elif output is not None:
            found[output] = reader.span(item)
    return found


def _row(reader: Reader, node: Node, inputs: list[Expression | None], outputs: dict[str, Span]) -> Row | None:
    if not isinstance(node, Sequence):
        hint = "such as `[\">= 10\", '-', {level: high}]`"
        reader.error(node, "wrong-kind", f"a row is a list of cells, not {kind(node)}", hint)
        return None
    *cells, last = node.items or [node]
    if not isinstance(last, Mapping):
        hint = "such as `{level: high}`"
        reader.error(last, "bad-row", "a row ends with a map of what it says", hint)
        return None
    if inputs and len(cells) != len(inputs):
        wanted, there = _count(len(inputs), "input"), _count(len(cells), "cell")
        more = "`-` takes anything" if len(cells) < len(inputs) else None
        reader.error(node, "bad-row", f"the table has {wanted}, and this row has {there}", more)
        return None
    before = reader.findings.errors
    read: list[Cell] = []
    for each in cells:
        made = cell(reader, each)
        if made is not None:
            read.append(made)
    said = _said(reader, last, outputs)
    return Row(tuple(read), said, reader.span(node)) if reader.findings.errors == before else None


def _said(reader: Reader, node: Mapping, outputs: dict[str, Span]) -> dict[str, Payload]:
    found: dict[str, Payload] = {}
    for name, (key, value) in node.entries.items():
        if outputs and name not in outputs:
            hint = did_you_mean(name, outputs) or f"it may name {one_of(tuple(outputs))}"
            reader.error(key, "unknown-output", f"{shown(name)} is not among the outputs of the table", hint)
        found[name] = payload(reader, value, shown(name))
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
