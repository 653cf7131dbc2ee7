"""What is known, before any event, of the variables that expressions read.

Data is known where every event type that can come has a schema; other fields than the declared ones may be there too.
A row is known whole: it has the fields that its projection folds, with the types of their values as rows store them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rules import cel
from rules.cel.types import (
    ANY,
    BOOL,
    DURATION,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    TIMESTAMP,
    ListOf,
    MapOf,
    Record,
    Type,
    family,
    join,
)
from rules.model.event_schema import EventSchema, Field, FieldKind, Upcast, fields_at, versioned
from rules.model.projection import Projection
from rules.model.table import Table
from rules.ruleset import RuleSet
from rules.tables.kind import decision_kind

Environment = dict[str, Type]

KINDS: Final[dict[FieldKind, Type]] = {
    "number": NUMBER,
    "integer": INTEGER,
    "string": STRING,
    "boolean": BOOL,
    "any": ANY,
    "list": ListOf(),
    "map": MapOf(),
}
_ATTRIBUTES: Final[dict[str, tuple[Type, bool]]] = {
    **dict.fromkeys(("id", "source", "type", "subject"), (STRING, False)),
    "time": (TIMESTAMP, False),
}
_SCALARS: Final = (str, int, float, bool)
_ALWAYS: Final[Environment] = {"key": STRING, "now": TIMESTAMP}


class Environments:
    """Of one rule set."""

    def __init__(self, ruleset: RuleSet) -> None:
        older = {
            versioned(schema.type, schema.version): schema
            for versions in ruleset.versions.values()
            for schema in versions
        }
        self._schemas = {**older, **ruleset.schemas}
        """By type, and by `TYPE/N` where there are versions: upcasters read older ones."""
        self._events: dict[tuple[str, ...], Type] = {}
        self._fields: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[frozenset[str] | None, bool]] = {}
        self.rows: dict[str, Type] = {}
        """Projection → what rules read by its name: the row of their own key, or all rows by key."""
        self.own: dict[str, Type] = {}
        """Projection → its row."""
        for projection in ruleset.projections.values():
            row = self.own[projection.name] = self._row(projection)
            self.rows[projection.name] = MapOf(row) if projection.everywhere else row
        # a table that could not be read says anything
        decided = {each.name: (decision_kind(each) if each.rows else ANY, False) for each in ruleset.tables.values()}
        self.tables = Record(decided)
        self.answers = {
            (table.name, output): _answers(table, output)
            for table in ruleset.tables.values()
            for output in table.outputs
        }
        """(table, output) → the values that it can have, None for any."""

    def event(self, types: Sequence[str]) -> Type:
        """Any event of these types and patterns."""
        known = self._events.get(tuple(types))
        if known is None:
            declared = self.declared(types)
            data = ANY if declared is None else _record([schema.fields for schema in declared])
            known = Record({**_ATTRIBUTES, "data": (data, False)}, open=True)
            self._events[tuple(types)] = known
        return known

    def declared(self, types: Iterable[str]) -> list[EventSchema] | None:
        """The schemas of these types, or None if events can come that have none."""
        found = [self._schemas.get(type) for type in types]
        return [schema for schema in found if schema is not None] if None not in found else None

    def of_upcast(self, schema: EventSchema, upcast: Upcast) -> Environment:
        """Events of the older version."""
        return {"event": self.event([versioned(schema.type, upcast.version)])}

    def field(self, types: tuple[str, ...], path: tuple[str, ...]) -> tuple[frozenset[str] | None, bool]:
        """The kinds of values that a field of the data can have in events that fit their schemas, and whether it is a
        whole number. None: any kind."""
        found = self._fields.get((types, path))
        if found is None:
            shapes = fields_at(self.declared(types) or (), path[:-1])
            found = self._fields[types, path] = _field(shapes or (), path[-1])
        return found

    def of_by(self, types: Sequence[str]) -> Environment:
        """Before there is a key there is only the event."""
        return {"event": self.event(types)}

    def of_rule(self, types: Sequence[str]) -> Environment:
        return {**self.of_table(types), "tables": self.tables}

    def of_table(self, types: Sequence[str]) -> Environment:
        return {**self.rows, **_ALWAYS, "event": self.event(types)}

    def of_step(self, types: Sequence[str], others: Iterable[tuple[str, Sequence[str]]]) -> Environment:
        """With other events under names of their own: `start`, the steps of a sequence."""
        return {**self.of_rule(types), **{name: self.event(of) for name, of in others if name not in self.rows}}

    def of_initial(self, projection: Projection) -> Environment:
        return {**_ALWAYS, "event": self.event([type for type, _ in projection.fold])}

    def of_fold(self, projection: Projection, type: str) -> Environment:
        return {**_ALWAYS, "event": self.event([type]), "row": self.own.get(projection.name, ANY)}

    def _row(self, projection: Projection) -> Type:
        """One pass is enough: what is found while nothing is known of the row holds whatever is in it."""
        if not projection.fold:
            return ANY  # a broken one
        fields: dict[str, tuple[Type, bool]] = {}
        valued = [(self.of_initial(projection), projection.initial)]
        valued += [({**self.of_fold(projection, type), "row": ANY}, named) for type, named in projection.fold]
        for environment, named in valued:
            for name, expression in named:
                try:
                    kind = row_type(cel.check(expression.node, environment, expression.text))
                except cel.CelSyntaxError:
                    kind = ANY  # reported where the expression itself is checked
                fields[name] = (join(fields[name][0], kind) if name in fields else kind, True)
        return Record(fields)


def _record(shapes: Iterable[dict[str, Field]]) -> Record:
    """A map of one of these shapes; other fields than the declared ones may be there too."""
    fields: dict[str, tuple[Type, bool]] = {}
    for shape in shapes:
        for name, field in shape.items():
            kind = type_of(field)
            if name in fields:
                kind = join(kind, fields[name][0])
            fields[name] = (kind, field.optional or (name in fields and fields[name][1]))
    return Record(fields, open=True)


def type_of(field: Field) -> Type:
    """Of a value that is there."""
    return KINDS[field.kind] if field.fields is None else _record([field.fields])


def _field(shapes: Iterable[dict[str, Field]], name: str) -> tuple[frozenset[str] | None, bool]:
    kinds: set[str] = set()
    whole = True
    for shape in shapes:
        field = shape.get(name)
        kind = None if field is None else family(KINDS[field.kind])
        if field is None or kind is None:
            return None, False
        kinds |= {kind, NULL.name} if field.optional else {kind}
        whole = whole and field.kind == "integer"
    return (frozenset(kinds), whole) if kinds else (None, False)


def _answers(table: Table, output: str) -> tuple[Any, ...] | None:
    """The values that an output of a table can have where it is there; None where they are not known."""
    said = [row.outputs[output] for row in table.rows if output in row.outputs]
    known = table.hit == "first" and all(value is None or isinstance(value, _SCALARS) for value in said)
    return tuple(said) if known and said else None


def row_type(kind: Type) -> Type:
    """Rows and data hold JSON: a time in them is its text."""
    if kind is TIMESTAMP or kind is DURATION:
        return STRING
    return ListOf() if isinstance(kind, ListOf) else MapOf() if isinstance(kind, (MapOf, Record)) else kind
