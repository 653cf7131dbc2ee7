"""Versions of events: each older one leads to the newest by one way, and becomes what the newest declares."""

from __future__ import annotations

from collections.abc import Iterator

from rules.cel.types import ANY, NULL, Type, family
from rules.checks.context import Context
from rules.checks.environment import row_type, type_of
from rules.diagnostics import Diagnostic, did_you_mean, shown
from rules.model.action import EmitAction, every
from rules.model.event_schema import EventSchema, Field, Upcast, versioned
from rules.model.source import Span

Versions = tuple[EventSchema, ...]


def check(context: Context) -> Iterator[Diagnostic]:
    kinds = {
        (position.owner.name, position.events[0], position.name): position.kind
        for position in context.positions
        if isinstance(position.owner, EventSchema) and position.error is None
    }
    for versions in context.ruleset.versions.values():
        yield from _ways(context, versions)
        by_number = {schema.version: schema for schema in versions}
        for schema in versions:
            for upcast in schema.upcasts:
                said = {
                    name: kinds.get((schema.name, versioned(schema.type, upcast.version), name), ANY)
                    for name, _ in upcast.fields
                }
                yield from _given(context, schema, upcast, said)
                older = by_number.get(upcast.version)
                if older is not None:
                    yield from _kept(context, schema, upcast, older)
    yield from _named(context)


def _ways(context: Context, versions: Versions) -> Iterator[Diagnostic]:
    """Nothing leads on from a version, or two things do."""
    led: dict[int, EventSchema] = {}
    for schema in versions:
        for upcast in schema.upcasts:
            first = led.setdefault(upcast.version, schema)
            if first is not schema:
                key = f"from/{upcast.version}"
                message = f"version {upcast.version} is brought up twice: {shown(first.name)} has {shown(key)} too"
                hint = "each version leads to the next one, step by step"
                length = len(key)
                yield context.at(upcast.span, length, "error", "version-gap", message, hint)
    before = 0
    for schema in versions:
        missing = [version for version in range(max(1, before), schema.version) if version not in led]
        before = schema.version
        if missing:
            named = f"version {missing[0]}" if len(missing) == 1 else f"versions {missing[0]} to {missing[-1]}"
            message = f"nothing brings up {named} of {shown(schema.type)}: `from/{missing[0]}` is missing"
            hint = f"write `from/{missing[0]}: {{}}` into {shown(schema.name)} if its data can stay as they are"
            yield context.at(schema.span, len(schema.name), "error", "version-gap", message, hint)


def _given(context: Context, schema: EventSchema, upcast: Upcast, said: dict[str, Type]) -> Iterator[Diagnostic]:
    """What `from/N` sets, against what the version declares."""
    for (name, expression), span in zip(upcast.fields, upcast.field_spans, strict=True):
        kind, field = said[name], schema.fields.get(name)
        if field is None:
            if kind is not NULL:
                message = f"{shown(name)} is not in the schema of {shown(schema.name)}"
                hint = did_you_mean(name, schema.fields) or "`null` takes an old field away"
                yield context.at(span, len(name), "warning", "unknown-field", message, hint)
            continue
        wrong: str | None = None
        example: str | None = None
        if kind is NULL:
            if not field.optional:
                wrong = f"`null` takes {shown(name)} away, and {shown(schema.name)} needs it"
        elif _differ(row_type(kind), type_of(field)):
            wrong = f"{shown(name)} is {type_of(field)} in {shown(schema.name)}, and this is {row_type(kind)}"
            example = _conversion(type_of(field), name)
        if wrong is not None:
            yield context.at(expression.span, len(expression.text), "error", "version-fields", wrong, example)


def _kept(context: Context, schema: EventSchema, upcast: Upcast, older: EventSchema) -> Iterator[Diagnostic]:
    """What `from/N` leaves as it is, against what the version declares."""
    length = len(f"from/{upcast.version}")
    given = {name for name, _ in upcast.fields}
    kept = {name: field for name, field in schema.fields.items() if name not in given}
    for name, field, old in _pairs(kept, older.fields, ""):
        if old is not None and _differ(type_of(old), type_of(field)):
            kind, was = type_of(field), type_of(old)
            message = f"{shown(name)} is {was} in version {older.version} and {kind} in version {schema.version}"
            yield context.at(upcast.span, length, "error", "version-fields", message, _conversion(kind, name))
        elif not field.optional and (old is None or old.optional):
            what = "may be absent in" if old is not None else "is not in the schema of"
            message = f"{shown(schema.name)} needs {shown(name)}, which {what} version {older.version}"
            hint = f"give it a value in {shown(f'from/{upcast.version}')}, or declare it with `?`"
            yield context.at(upcast.span, length, "warning", "version-fields", message, hint)


def _pairs(new: dict[str, Field], old: dict[str, Field], within: str) -> Iterator[tuple[str, Field, Field | None]]:
    """Each field of the one with that of the other, also of maps that both declare."""
    for name, field in new.items():
        was = old.get(name)
        yield within + name, field, was
        if field.fields is not None and was is not None and was.fields is not None:
            yield from _pairs(field.fields, was.fields, f"{within}{name}.")


def _differ(one: Type, other: Type) -> bool:
    return None not in (family(one), family(other)) and family(one) != family(other)


def _conversion(kind: Type, name: str) -> str | None:
    if "." in name:
        return None  # a map is given whole
    function = {"a number": "double", "a string": "string", "a boolean": "bool"}.get(family(kind) or "")
    return None if function is None else f"such as {shown(f'{name}: {function}(event.data.{name})')}"


def _named(context: Context) -> Iterator[Diagnostic]:
    """Versions where only types stand."""
    numbers = {
        versioned(type, schema.version): type
        for type, versions in context.ruleset.versions.items()
        for schema in versions
    }
    if not numbers:
        return
    for type, span in _types(context):
        if type in numbers:
            message = f"{shown(type)} is a version, and rules name the type: they see the newest version of every event"
            yield context.at(span, len(type), "error", "bad-type", message, f"write {shown(numbers[type])}")


def _types(context: Context) -> Iterator[tuple[str, Span]]:
    for rule in context.ruleset.rules:
        yield from zip(rule.on, rule.on_spans, strict=True)
        if rule.deadline is not None and rule.deadline.unless is not None:
            yield from zip(rule.deadline.unless.on, rule.deadline.unless.on_spans, strict=True)
        yield from ((action.type, action.span) for action in every(rule.then) if isinstance(action, EmitAction))
    for projection in context.ruleset.projections.values():
        yield from ((type, projection.span) for type, _ in projection.fold)
