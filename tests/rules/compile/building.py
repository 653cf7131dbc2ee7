"""Rule sets by hand: what the loader makes of files, without files."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from rules import cel
from rules.compile import compile_rules
from rules.model.action import Action, CommandAction, EmitAction
from rules.model.event_schema import EventSchema, Field
from rules.model.projection import Projection
from rules.model.rule import Deadline, Rule, Unless
from rules.model.source import Expression, Payload, Span, TemplateText
from rules.processor import RulesProcessor
from rules.ruleset import RuleSet

SPAN = Span("rules.yaml", 1, 1)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def expression(text: str | None) -> Expression | None:
    return None if text is None else Expression(text, cel.parse(text), SPAN)


def named(values: dict[str, str]) -> tuple[tuple[str, Expression], ...]:
    return tuple((name, Expression(text, cel.parse(text), SPAN)) for name, text in values.items())


def payload(value: Any) -> Payload:
    if isinstance(value, str):
        template = cel.template(value)
        return value if "${" not in value else TemplateText(template, SPAN)
    if isinstance(value, dict):
        return {key: payload(each) for key, each in value.items()}
    if isinstance(value, list):
        return [payload(each) for each in value]
    return value


def command(name: str = "act", to: str = "target", **args: Any) -> CommandAction:
    return CommandAction(name, to, {key: payload(value) for key, value in args.items()}, SPAN)


def emit(type: str, subject: str | None = None, data: Any = None) -> EmitAction:
    return EmitAction(type, payload(subject), payload(data), SPAN)


def unless(*on: str, when: str | None = None) -> Unless:
    return Unless(on, expression(when))


def projection(
    name: str,
    fold: dict[str, dict[str, str]],
    by: str | None = None,
    initial: dict[str, str] | None = None,
    delete: tuple[str, ...] = (),
    index: tuple[str, ...] = (),
) -> Projection:
    folds = tuple((type, named(fields)) for type, fields in fold.items())
    return Projection(name, expression(by), folds, index, named(initial or {}), delete, 0, SPAN)


def rule(
    name: str,
    on: str | tuple[str, ...],
    *then: Action,
    by: str | None = None,
    when: str | None = None,
    let: dict[str, str] | None = None,
    after: int | None = None,
    unless: Unless | None = None,
    pending: Any = "each",
    settle: int | None = None,
    once_within: int | None = None,
    priority: int = 0,
    enabled: bool = True,
    shadow: bool = False,
) -> Rule:
    return Rule(
        name=name,
        description="",
        on=(on,) if isinstance(on, str) else on,
        by=expression(by),
        when=expression(when),
        let=named(let or {}),
        deadline=None if after is None else Deadline(after, unless, pending),
        settle=settle,
        once_within=once_within,
        priority=priority,
        enabled=enabled,
        shadow=shadow,
        then=then or (command(),),
        place=0,
        span=SPAN,
    )


def schema(type: str, **fields: str) -> EventSchema:
    return EventSchema(
        type,
        {name: Field(kind.rstrip("?"), kind.endswith("?")) for name, kind in fields.items()},
        SPAN,  # type: ignore[arg-type]
    )


class Readable(RuleSet):
    """A rule set that a failing test can show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"lateness {self.lateness // SECOND}s\n" + "\n".join(
            map(shown, [*self.schemas.values(), *self.projections.values(), *self.rules])
        )


def shown(part: Any) -> str:
    """What a part says, without syntax trees and places in a text."""
    if isinstance(part, Expression):
        return part.text
    if isinstance(part, TemplateText):
        return part.template.text
    if isinstance(part, dict):
        return "{" + ", ".join(f"{key}: {shown(value)}" for key, value in part.items()) + "}"
    if isinstance(part, (tuple, list)):
        return "[" + ", ".join(map(shown, part)) + "]"
    if not dataclasses.is_dataclass(part):
        return repr(part)
    said = {each.name: getattr(part, each.name) for each in dataclasses.fields(part) if "span" not in each.name}
    return f"{type(part).__name__}({', '.join(f'{name}={shown(value)}' for name, value in said.items() if value)})"


def ruleset(*parts: Rule | Projection | EventSchema, lateness: int = 0, name: str = "test") -> RuleSet:
    def place(part: Any, at: int) -> Any:
        return type(part)(**{**{slot: getattr(part, slot) for slot in part.__slots__}, "place": at})

    rules = [part for part in parts if isinstance(part, Rule)]
    projections = [part for part in parts if isinstance(part, Projection)]
    schemas = [part for part in parts if isinstance(part, EventSchema)]
    return Readable(
        name=name,
        description="",
        lateness=lateness,
        schemas={each.type: each for each in schemas},
        projections={each.name: place(each, at) for at, each in enumerate(projections)},
        rules=tuple(place(each, at) for at, each in enumerate(rules)),
        tests=(),
        sources={"rules.yaml": hashlib.sha256(repr(parts).encode()).hexdigest()},
    )


def compiled(*parts: Rule | Projection | EventSchema, lateness: int = 0, name: str = "test") -> RulesProcessor:
    return compile_rules(ruleset(*parts, lateness=lateness, name=name))
