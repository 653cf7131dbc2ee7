"""What names in rules stand for, in generated code and as values.

`Variables` is the scope that `cel.emit` asks: it knows how to reach the event, its data and the rows from the local
variables of a generated function. `Frame` carries one evaluation outside the fused functions: firings, failed fast
code, deadlines. Both give the same values, so it does not matter which way an expression was evaluated.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from rules import cel
from rules.cel import Path, types
from rules.compile.rows import Rows
from rules.compile.schema import Shape
from rules.nodes.kept import moment
from rules.nodes.kept_event import UNDECODED as UNDECODED
from rules.nodes.kept_event import Met
from rules.nodes.kept_event import decode_data as decode_data
from streams.event import Event
from streams.state import Cell

CORE: Final = ("id", "source", "type", "subject", "time", "data")
FRAME: Final = """
    e = v.event
    d = v.data
    key = v.key
    t = v.now
    row = v.row
    lets = v.lets
    cell = v.cell
    rows = cell.rows
    copies = v.copies
    aggregates = v.aggregates
"""
"""How functions of a frame `v` find their local variables."""


class Names(NamedTuple):
    """Under which names a rule's expressions read events, beside `event`."""

    others: Sequence[str] = ()
    """`start`, steps of a sequence: in the order of `Frame.named`."""
    own: str = ""
    """Another name for `event`."""


NO_NAMES: Final = Names()


class Frame:
    """What the expressions of one rule or fold see at one moment under one key. `now` is in microseconds."""

    __slots__ = (
        "_data",
        "aggregates",
        "cause",
        "cell",
        "copies",
        "decided",
        "event",
        "key",
        "lets",
        "named",
        "now",
        "row",
    )

    def __init__(
        self,
        event: Event,
        key: str,
        cell: Cell,
        now: int,
        copies: Mapping[str, Mapping[str, Any]],
        data: Any = UNDECODED,
    ) -> None:
        self.event = event
        self.key = key
        self.cell = cell
        self.now = now
        self.copies = copies
        """Projection id → key → row, of those that lie in every partition (`streams.copies`)."""
        self.lets: dict[str, Any] = {}
        """Name → value, or the CelEvaluationError that stands in its place."""
        self.aggregates: dict[str, Any] = {}
        """Name → value of the window, or the CelEvaluationError that stands in its place (`rules.aggregates`)."""
        self.row: dict[str, Any] = {}
        self.decided: dict[str, Any] | None = None
        """Table → what it says now, or the CelEvaluationError in its place, once it was asked."""
        self.named: Sequence[Met] = ()
        """Events that have names of their own (`Names.others`)."""
        self.cause = event.id
        """Of commands: the id of the event that they name as their cause."""
        self._data = data

    @property
    def data(self) -> Any:
        """Raises msgspec.DecodeError, or RecursionError for what is nested too deep."""
        if self._data is UNDECODED:
            self._data = decode_data(self.event.data)
        return self._data


class Variables(cel.Scope):
    """The local variables of a generated function: `e` and `d` an event and its data, `s0` and `sd0` those that have
    the first name, `key`, `t` the time now in microseconds, `row`, `rows`, `copies`, `lets`."""

    def __init__(self, projections: dict[str, Rows], shape: Shape | None = None, names: Names = NO_NAMES) -> None:
        """With a shape `d` is its struct: then only declared fields of the data can be read."""
        super().__init__()
        self._shape = shape
        self._bound: dict[str, ast.expr] = {}
        self._events: dict[str, str] = {}
        self._event("event", "e", "d", shape)
        for place, root in enumerate(names.others):
            self._event(root, f"s{place}", f"sd{place}")
        if names.own:
            self.alias(names.own)
        self.declare(("key",), "key", types.STRING)
        self.declare(("now",), self._call(moment, ast.Name("t", ast.Load())), types.TIMESTAMP)
        self.declare(("row",), "row", types.MapOf())
        for place, (name, rows) in enumerate(projections.items()):
            self.namespace[f"_id{place}"] = rows.id
            if rows.everywhere:
                self.declare((name,), row_variable(place), types.MapOf(rows.record))
                self.namespace[f"_absent{place}"] = {}
                continue
            self.declare((name,), row_variable(place), rows.record, fallible=True)
            self.namespace[f"_absent{place}"] = cel.NotEvaluated(f"`{name}` has no row for this key")

    def alias(self, root: str) -> None:
        """Another name for `event`."""
        self._event(root, "e", "d", self._shape)

    def _event(self, root: str, event: str, data: str, shape: Shape | None = None) -> None:
        self._events[root] = event
        variable = ast.Name(event, ast.Load())
        for attribute in ("id", "source", "type", "subject"):
            self.declare((root, attribute), ast.Attribute(variable, attribute, ast.Load()), types.STRING)
        time = self._call(moment, ast.Attribute(variable, "time", ast.Load()))
        self.declare((root, "time"), time, types.TIMESTAMP)
        payload = ast.Name(data, ast.Load())
        if shape is None:
            self.declare((root, "data"), payload)
            self.declare((root,), self._call(whole, variable, payload))
            return
        for path, (attributes, kind, optional) in shape.attributes.items():
            read: ast.expr = payload
            for attribute in attributes:
                read = ast.Attribute(read, attribute, ast.Load())
            self.declare((root, "data", *path), read, kind, fallible=optional)

    def _call(self, helper: Any, *arguments: ast.expr) -> ast.expr:
        known = self._bound.get(helper.__name__)
        if known is None:
            known = self._bound[helper.__name__] = self.bind(helper)
        return ast.Call(known, list(arguments), [])

    @contextmanager
    def within(self) -> Iterator[None]:
        """What is declared inside is forgotten at the end: the `let` names of one rule."""
        before = dict(self._declared), dict(self._events)
        try:
            yield
        finally:
            self._declared, self._events = before

    def load(self, path: Path) -> ast.expr | None:
        if self._is_extension(path):
            return self._call(extension, ast.Name(self._events[path[0]], ast.Load()), ast.Constant(path[1]))
        return super().load(path)

    def fallible(self, path: Path) -> bool:
        return self._is_extension(path) or super().fallible(path)

    def _is_extension(self, path: Path) -> bool:
        return len(path) == 2 and path[0] in self._events and path[1] not in CORE


def row_variable(place: int) -> str:
    return f"r{place}"


def row_prologue(projections: dict[str, Rows]) -> str:
    """How the variables of rows are found; follows the prologue that says what `rows` is."""
    return "\n".join(
        f"{row_variable(place)} = {'copies' if rows.everywhere else 'rows'}.get(_id{place}, _absent{place})"
        for place, rows in enumerate(projections.values())
    )


def named_prologue(count: int) -> str:
    """How the variables of named events are found."""
    return "\n".join(f"s{place} = v.named[{place}].event\nsd{place} = v.named[{place}].data" for place in range(count))


def whole(event: Event, data: Any) -> dict[str, Any]:
    """An event as one map, for expressions that name `event` alone."""
    made: dict[str, Any] = dict(event.extensions or ())
    made.update(id=event.id, source=event.source, type=event.type, subject=event.subject)
    made.update(time=moment(event.time), data=data)
    return made


def extension(event: Event, name: str) -> Any:
    if event.extensions is not None and name in event.extensions:
        return event.extensions[name]
    return cel.NotEvaluated(f"`event.{name}` is absent")
