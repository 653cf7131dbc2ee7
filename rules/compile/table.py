"""A decision table, compiled: what `tables.NAME` is in an expression of a rule.

Its index is made when it is first asked. A frame asks `read`, which answers with a value or with the error in its
place, and the frame remembers it: at one moment, under one key, a table says one thing. The fused functions have the
inputs inlined in a call of the index (`inlined_tables`), or all of a table of few rows, one condition after the other;
whatever that raises, the exact twin of the rule begins again with a frame.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from rules import cel
from rules.cel import emit
from rules.cel.nodes import Binary, Comprehension, ListLiteral, Literal, Logic
from rules.cel.numbers import normal
from rules.cel.paths import reads
from rules.compile.code import assign, name
from rules.compile.framed import Compiler, Decision
from rules.compile.variables import Frame, Variables
from rules.model.source import Payload, TemplateText
from rules.model.table import Row, Table
from rules.tables import cells
from rules.tables.index import Index
from rules.tables.kind import decision_kind
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation

ROOT: Final = "tables"
FEW: Final = 8
"""Rows that are asked one by one in less time than an index takes."""


class CompiledTable:
    """Answers are shared and never changed: whoever keeps one copies it (`rows.stored`, `kept.keep`)."""

    def __init__(self, table: Table, compiler: Compiler) -> None:
        self.table = table
        title = f"table {table.name}"
        self.inputs = [each.node for each in table.inputs]
        self._values = compiler.lets(title, [(str(place), each) for place, each in enumerate(table.inputs)])
        self._changing = {
            place: compiler.payload(f"{title} row {place + 1}", row.outputs)
            for place, row in enumerate(table.rows)
            if _evaluates(row.outputs)
        }
        self.kind = decision_kind(table)

    @cached_property
    def index(self) -> Index:
        return Index(self.table)

    def read(self, frame: Frame) -> Any:
        """What the table says at the moment of the frame, or the CelEvaluationError that stands in its place."""
        if frame.decided is None:
            frame.decided = {}
        elif self.table.name in frame.decided:
            return frame.decided[self.table.name]
        try:
            found = self.index.hits(list(self._values(frame).values()))
            said: Any = [self._said(place, frame) for place in found]
            if self.table.hit == "first":
                said = said[0] if said else {}
        except cel.CelEvaluationError as error:
            said = error.again()
        frame.decided[self.table.name] = said
        return said

    def looked(self, frame: Frame) -> tuple[list[Any], list[int] | cel.CelEvaluationError]:
        """The values of the inputs, or the errors in their place, and the places of the rows that fit, or the error of
        the row that decides."""
        given = list(self._values(frame).values())
        try:
            return given, cells.hits(self.table, given)
        except cel.CelEvaluationError as error:
            return given, error.again()

    def declare(self, scope: Variables) -> None:
        """For functions of a frame `v`."""
        variable = f"_table_{self.table.name}"
        scope.namespace[variable] = self.read
        loaded = ast.Call(name(variable), [name("v")], [])
        scope.declare((ROOT, self.table.name), loaded, self.kind, fallible=True)

    def inlined(self, scope: Variables) -> ast.expr:
        """For functions with the local variables `ev`, `cell` and those of `Variables`. Raises whatever where `read` is
        needed."""
        chain = self._chain(scope)
        if chain is not None:
            return chain
        inputs = [emit.expression(each, scope) for each in self.inputs]
        if not self._changing:
            return ast.Call(scope.bind(self._constantly), inputs, [])
        moment = [name(each) for each in ("ev", "e", "key", "cell", "t")]
        return ast.Call(scope.bind(self._at), [*moment, *inputs], [])

    def _chain(self, scope: Variables) -> ast.expr | None:
        """What the first row says that fits, or the next one; None where the table is not made for that: it has many
        rows or collects them, its inputs or outputs have to be computed, or its cells hold times."""
        rows = self.table.rows
        computed = self._changing or any(cel.path(each) is None for each in self.inputs)
        if self.table.hit != "first" or len(rows) > FEW or computed:
            return None
        conditions = [_condition(row, self.inputs) for row in rows]
        said: ast.expr = scope.bind({})
        for condition, value in zip(reversed(conditions), reversed(self._constants), strict=True):
            if condition is None:
                return None
            fits = emit.expression(condition, scope, condition=True)
            said = ast.IfExp(fits, scope.bind(value), said)
        return said

    @cached_property
    def _constantly(self) -> Callable[..., Any]:
        """What the table says for these inputs; all its outputs are constants."""
        said = self._constants
        if self.table.hit == "first":
            return self.index.first(said, {})
        collect = self.index.collect()
        return lambda *given: [said[place] for place in collect(*given)]

    @cached_property
    def _at(self) -> Callable[..., Any]:
        """The same where outputs are evaluated, with the moment at which that happens before the inputs."""
        if self.table.hit == "first":
            first = self.index.first(range(len(self.table.rows)), None)

            def one(ev: Evaluation, event: Event, key: str, cell: Cell, now: int, *given: Any) -> Any:
                place = first(*given)
                return {} if place is None else self._said(place, Frame(event, key, cell, now, ev.copies))

            return one
        collect = self.index.collect()

        def several(ev: Evaluation, event: Event, key: str, cell: Cell, now: int, *given: Any) -> Any:
            frame = Frame(event, key, cell, now, ev.copies)
            return [self._said(place, frame) for place in collect(*given)]

        return several

    @cached_property
    def _constants(self) -> list[Any]:
        """What each row says; None where that is evaluated."""
        rows = enumerate(self.table.rows)
        return [None if place in self._changing else _plain(row.outputs) for place, row in rows]

    def _said(self, place: int, frame: Frame) -> Any:
        render = self._changing.get(place)
        return self._constants[place] if render is None else render(frame)


def _condition(row: Row, inputs: Sequence[cel.Node]) -> cel.Node | None:
    """The cells of a row as one expression; None where CEL has no literal for a constant."""
    tests: list[cel.Node] = []
    for cell, read in zip(row.cells, inputs, strict=True):
        constants = [Literal(0, 0, each) for each in cell.operands if not isinstance(each, (datetime, timedelta))]
        if len(constants) < len(cell.operands):
            return None
        if cell.operator == "in":
            tests.append(Binary(0, 0, "in", read, ListLiteral(0, 0, tuple(constants)), 0))
        elif cell.operator != "-":
            operators = [operator for operator, _ in cell.tests]
            tests += (Binary(0, 0, each, read, to, 0) for each, to in zip(operators, constants, strict=True))
    if len(tests) < 2:
        return tests[0] if tests else Literal(0, 0, True)
    return Logic(0, 0, "&&", tuple(tests))


def inlined_tables(tables: Mapping[str, Decision], read: Sequence[cel.Node], scope: Variables) -> list[ast.stmt]:
    """Declares in the scope what the nodes read of tables. One that is read several times is asked once, before all."""
    made: list[ast.stmt] = []
    for place, found in enumerate(_reads(tables, read)):
        loaded = found.table.inlined(scope)
        if found.often:
            made.append(assign(f"table{place}", loaded))
            loaded = name(f"table{place}")
        # what raises is no error in the place of a value; but `has(tables.NAME)` must not be answered without asking
        scope.declare((ROOT, found.name), loaded, found.table.kind, fallible=found.asked)
    return made


def inputs_read(tables: Mapping[str, Decision], read: Sequence[cel.Node]) -> list[cel.Node]:
    """The inputs of the tables that the nodes read."""
    return [node for found in _reads(tables, read) for node in found.table.inputs]


@dataclass(slots=True)
class _Read:
    name: str
    table: Decision
    often: bool = False
    """Perhaps more than once: within a macro, too."""
    asked: bool = False
    """By `has(tables.NAME)`."""


def _reads(tables: Mapping[str, Decision], read: Iterable[cel.Node]) -> list[_Read]:
    found: dict[str, _Read] = {}
    for node in read if tables else ():
        repeats = any(isinstance(part, Comprehension) for part in cel.walk(node))
        for path, asked in reads(node):
            if path[0] != ROOT or path[1] not in tables:
                continue
            known = found.get(path[1])
            if known is None:
                known = found[path[1]] = _Read(path[1], tables[path[1]], repeats)
            else:
                known.often = True
            known.asked = known.asked or (asked and len(path) == 2)
    return list(found.values())


def _evaluates(payload: Payload) -> bool:
    if isinstance(payload, dict):
        return any(map(_evaluates, payload.values()))
    return any(map(_evaluates, payload)) if isinstance(payload, list) else isinstance(payload, TemplateText)


def _plain(payload: Any) -> Any:
    """A payload of constants as the value that it is."""
    if isinstance(payload, dict):
        return {key: _plain(value) for key, value in payload.items()}
    if isinstance(payload, list):
        return [_plain(value) for value in payload]
    return normal(payload) if isinstance(payload, (int, float)) and not isinstance(payload, bool) else payload
