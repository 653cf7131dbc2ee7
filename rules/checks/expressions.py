"""Names that do not exist, operations that can never succeed, and values that no such position can use."""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.cel.types import BOOL, NULL, NUMBER, STRING, TIMESTAMP, ListOf, MapOf, Record, Type, family
from rules.checks.context import Context
from rules.checks.position import Position
from rules.diagnostics import Diagnostic, did_you_mean, one_of, shown
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.model.table import Table
from rules.model.window import AGGREGATES
from rules.pointing import point, value_of, yaml_hint

_SCALARS = "a text, a number or a boolean"


def check(context: Context) -> Iterator[Diagnostic]:
    for position in context.positions:
        if position.error is not None:
            yield _point(context, position, _explained(context, position, position.error))
            continue
        wrong = _unfit(position)
        if wrong is not None:
            node = position.node
            yield _point(context, position, cel.CelCheckError(wrong, value_of(position.text), node.start, node.end))


def _point(context: Context, position: Position, error: cel.CelSyntaxError) -> Diagnostic:
    text = position.text
    return point(error, text.written, text.span, value_of(text), context.line_of, "expression")


def _unfit(position: Position) -> str | None:
    """What is wrong with the type of the value."""
    kind = position.kind
    if position.role in ("when", "unless", "step") and family(kind) not in (None, BOOL.name):
        return f"`when` must be true or false, and this is {kind}"
    if position.role == "having" and family(kind) not in (None, BOOL.name):
        return f"`having` must be true or false, and this is {kind}"
    if position.role == "argument":
        return _unfit_argument(position.name, kind)
    if position.role == "by" and _is_no_key(kind):
        return f"`by` must be {_SCALARS}, and this is {kind}"
    if position.role == "subject" and _is_no_key(kind):
        return f"`subject` must be {_SCALARS}, and this is {kind}"
    return None


def _unfit_argument(function: str, kind: Type) -> str | None:
    if function in ("sum", "avg") and family(kind) not in (None, NUMBER.name):
        return f"{shown(function)} adds up numbers, and this is {kind}"
    if function in ("min", "max") and _is_no_key(kind):
        return f"{shown(function)} needs values that have an order, and this is {kind}"
    return None


def _is_no_key(kind: Type) -> bool:
    return kind is NULL or isinstance(kind, (ListOf, MapOf, Record))


def _explained(context: Context, position: Position, error: cel.CelSyntaxError) -> cel.CelSyntaxError:
    """With a better hint, where the name is known in another position."""
    name = error.text[error.offset : error.end]
    if error.message.startswith("no field") and error.text[: error.offset].rstrip(" .").endswith("tables"):
        return _no_table(context, error, name)
    if not error.message.startswith("unknown name") or yaml_hint(error, position.text.written, error.text, ""):
        return error
    hint = _hint(context, position, name, error)
    if hint is None:
        return error
    return cel.CelCheckError(error.message, error.text, error.offset, error.end, hint)


def _no_table(context: Context, error: cel.CelSyntaxError, name: str) -> cel.CelSyntaxError:
    tables = context.ruleset.tables
    hint = did_you_mean(name, tables) or (
        f"there is {one_of(sorted(tables)[:10])}" if tables else "`tables:` holds them"
    )
    return cel.CelCheckError(f"there is no table {shown(name)}", error.text, error.offset, error.end, hint)


def _table_hint(context: Context, name: str) -> str | None:
    if name == "tables":
        return "a table does not read other tables"
    if name == "row":
        return "a table reads a row by the name of its projection"
    if any(name == let for rule in context.ruleset.rules for let, _ in rule.let):
        return "a table reads the event, `key`, `now` and rows; `let` values are their rules' own"
    return "did you mean `event.data`?" if name == "data" else None


def _hint(context: Context, position: Position, name: str, error: cel.CelSyntaxError) -> str | None:
    in_projection = isinstance(position.owner, Projection)
    if isinstance(position.owner, Table):
        return _table_hint(context, name)
    if position.role == "upcast" and (name in context.ruleset.projections or name in ("key", "now", "row", "start")):
        return "what brings an event up reads the event alone"
    if position.role == "argument":
        return error.hint or f"{shown(position.name)} is asked of each event of the window, so it reads `event` alone"
    if name in AGGREGATES and isinstance(position.owner, Rule) and position.owner.window is not None:
        return f"write {shown('count()' if name == 'count' else f'{name}(event.data.…)')}"
    if name == "tables":
        return "decision tables are for rules: their `let`, `when` and actions"
    if name == "row" and not in_projection:
        return "`row` is for folds: a rule reads a row by the name of its projection"
    if name == "row":
        return "there is no row yet when a key or an initial value is made"
    if name == "start" and not in_projection:
        return "`start`, the opening event, is for the `when` of `unless`"
    if name in context.ruleset.projections:
        if position.role == "by":
            return "`by` reads the event alone: rows are found by the key that it gives"
        return "a fold reads the event and `row`: rows of other projections are for rules"
    if position.role == "by" and name in ("key", "now"):
        return "`by` reads the event alone"
    if isinstance(position.owner, Rule) and position.owner.sequence is not None:
        if any(name == step.name for step in position.owner.sequence.steps):
            return f"{shown(name)} is the event of a step that comes later"
        if position.role == "step" and any(name == let for let, _ in position.owner.let):
            return "a step reads events and rows: `let` values are made when the sequence is complete"
    if isinstance(position.owner, Rule) and any(name == let for let, _ in position.owner.let):
        if position.role == "unless":
            return "`unless` reads the cancelling event, `start` and rows, but no `let` values"
        return f"{shown(name)} is a `let` value that comes later"
    known = context.environments.declared(position.events)
    if known and any(name in schema.fields for schema in known):
        return f"did you mean {shown(f'event.data.{name}')}?"
    event = position.environment.get("event")
    if isinstance(event, Record) and name in event.fields and event.fields[name][0] in (STRING, TIMESTAMP):
        return f"did you mean {shown(f'event.{name}')}?"
    if name == "data":
        return "did you mean `event.data`?"
    return None
