"""Every expression of a rule set with its position and with the conditions in it.

Made once for all checks. Each expression is checked here against its variables; what came of it, a type or an error, is
in the position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from rules import cel
from rules.aggregates import Aggregates, calls, is_aggregate
from rules.cel.types import ANY
from rules.checks.conditions import AGGREGATED, Place, places
from rules.checks.environment import Environment, Environments
from rules.checks.position import Others, Role
from rules.checks.position import Position as Position
from rules.diagnostics import Diagnostic, Severity
from rules.model.action import Action, CommandAction, every
from rules.model.event_schema import EventSchema, versioned
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.model.source import Expression, Payload, Span, TemplateText
from rules.model.table import Table
from rules.pointing import Line
from rules.ruleset import RuleSet


class Context:
    """What checks look at. `line_of` gives the text of a line of a file."""

    def __init__(self, ruleset: RuleSet, line_of: Line) -> None:
        self.ruleset = ruleset
        self.line_of = line_of
        self.environments = Environments(ruleset)

    @cached_property
    def positions(self) -> list[Position]:
        found: list[Position] = []
        for versions in self.ruleset.versions.values():
            for schema in versions:
                found += self._of_schema(schema)
        for projection in self.ruleset.projections.values():
            found += self._of_projection(projection)
        for rule in self.ruleset.rules:
            found += self._of_rule(rule)
        return [*found, *self._of_tables(found)]

    @cached_property
    def table_inputs(self) -> list[tuple[Table, list[Position]]]:
        """Tables that could be read, with their inputs."""
        inputs: dict[str, list[Position]] = {}
        for position in self.positions:
            if position.role == "input":
                inputs.setdefault(position.owner.name, []).append(position)
        return [(table, inputs[table.name]) for table in self.ruleset.tables.values() if table.rows]

    @cached_property
    def places(self) -> list[tuple[Position, list[Place]]]:
        """Of every expression without an error: where it is true or false."""
        sound = (position for position in self.positions if position.error is None)
        return [(position, list(places(self.environments, position))) for position in sound]

    def at(
        self, span: Span, length: int, severity: Severity, code: str, message: str, hint: str | None = None
    ) -> Diagnostic:
        line = self.line_of(span.file, span.line)
        end = min(span.column + max(1, length), max(len(line), span.column) + 1)
        return Diagnostic(severity, code, message, span.file, span.line, span.column, end, hint, line)

    def _of_schema(self, schema: EventSchema) -> Iterator[Position]:
        for upcast in schema.upcasts:
            environment = self.environments.of_upcast(schema, upcast)
            older = (versioned(schema.type, upcast.version),)
            for name, expression in upcast.fields:
                yield _position(schema, "upcast", name, expression, older, environment)

    def _of_projection(self, projection: Projection) -> Iterator[Position]:
        environments = self.environments
        types = tuple(type for type, _ in projection.fold)
        yield from self._of_by(projection, (*types, *projection.delete))
        for name, expression in projection.initial:
            environment = environments.of_initial(projection)
            yield _position(projection, "initial", name, expression, types, environment)
        for type, fields in projection.fold:
            environment = environments.of_fold(projection, type)
            for name, expression in fields:
                yield _position(projection, "fold", name, expression, (type,), environment)

    def _of_tables(self, reading: list[Position]) -> Iterator[Position]:
        """A table sees the events of all who read it."""
        seen: dict[str, dict[str, None]] = {}
        for position in reading if self.ruleset.tables else ():
            for name in position.tables:
                seen.setdefault(name, {}).update(dict.fromkeys(position.events))
        for table in self.ruleset.tables.values():
            events = tuple(seen.get(table.name, ("*",)))
            environment = self.environments.of_table(events)
            for place, expression in enumerate(table.inputs):
                yield _position(table, "input", str(place), expression, events, environment)
            for row in table.rows:
                for role, text in _templates(row.outputs, "output"):
                    yield _position(table, role, "", text, events, environment)

    def _of_by(self, owner: Rule | Projection, listened: tuple[str, ...]) -> Iterator[Position]:
        for entry in owner.by_types:
            types = entry.listened
            yield _position(owner, "by", entry.type, entry.key, types, self.environments.of_by(types))
        if owner.by is not None and not owner.by_types:
            yield _position(owner, "by", "", owner.by, listened, self.environments.of_by(listened))

    def _of_rule(self, rule: Rule) -> Iterator[Position]:
        environments = self.environments
        yield from self._of_by(rule, rule.listened)
        yield from self._of_steps(rule)
        events = rule.seen
        others = () if rule.sequence is None else tuple((step.name, step.on) for step in rule.sequence.steps)
        environment = environments.of_step(events, others)
        for name, expression in rule.let:
            position = _position(rule, "let", name, expression, events, environment, others)
            if name not in environments.rows:  # else it is refused, and rows are what was meant
                environment = {**environment, name: position.kind}
            yield position
        if rule.when is not None:
            yield _position(rule, "when", "", rule.when, events, environment, others)
        unless = rule.deadline.unless if rule.deadline is not None else None
        if unless is not None and unless.when is not None:
            start = (("start", rule.on),)
            seen = environments.of_step(unless.on, start)
            yield _position(rule, "unless", "", unless.when, unless.on, seen, start)
        then = rule.then
        if rule.window is not None:
            aggregates = Aggregates(rule)
            yield from self._of_window(rule, aggregates, environment)
            then = aggregates.then
            environment = {**environment, **self._values_of(rule, aggregates)}
        for action in every(then):
            for role, text in _payloads(action):
                yield _position(rule, role, "", text, events, environment, others)

    def _of_steps(self, rule: Rule) -> Iterator[Position]:
        """The conditions of a sequence: each sees the steps before, and that of a step its own name."""
        before: Others = ()
        for step, listener in rule.sequence.listeners if rule.sequence is not None else ():
            others = (*before, (step.name, step.on)) if listener is step else before
            if listener.when is not None:
                environment = self.environments.of_step(listener.on, others)
                yield _position(rule, "step", step.name, listener.when, listener.on, environment, others)
            before = others

    def _of_window(self, rule: Rule, aggregates: Aggregates, environment: Environment) -> Iterator[Position]:
        """Arguments of aggregates, which see one event each, and `having`."""
        seen = self.environments.of_by(rule.on)
        for text in texts_of_window(rule):
            node = text.node if isinstance(text, Expression) else text.template.node
            for call in calls(node):
                for argument in call.arguments[:1]:
                    if not any(map(is_aggregate, cel.walk(argument))):
                        yield _position(rule, "argument", call.function, _part(text, argument), rule.on, seen)
        if aggregates.having is not None:
            known = {**environment, **self._values_of(rule, aggregates)}
            yield _position(rule, "having", "", aggregates.having, rule.on, known)

    def _values_of(self, rule: Rule, aggregates: Aggregates) -> Environment:
        """What is known of the values of aggregates."""
        seen = self.environments.of_by(rule.on)
        found: Environment = {}
        for each in aggregates.found:
            kind = AGGREGATED.get(each.function)
            if kind is None and each.column is not None:
                try:
                    kind = cel.check(aggregates.columns[each.column], seen)
                except cel.CelSyntaxError:
                    kind = ANY  # reported where the argument itself is checked
            found[each.name] = kind or ANY
        return found


def texts_of_window(rule: Rule) -> Iterator[Expression | TemplateText]:
    """Where a rule may ask for aggregates."""
    if rule.having is not None:
        yield rule.having
    for action in every(rule.then):
        for _, text in _payloads(action):
            yield text


def _position(
    owner: Rule | Projection | Table | EventSchema,
    role: Role,
    name: str,
    text: Expression | TemplateText,
    events: tuple[str, ...],
    environment: Environment,
    others: Others = (),
) -> Position:
    node, said = (text.node, text.text) if isinstance(text, Expression) else (text.template.node, text.template.text)
    try:
        kind, error = cel.check(node, environment, said), None
    except cel.CelSyntaxError as raised:
        kind, error = ANY, raised
    return Position(owner, role, name, text, events, environment, kind, error, others)


def _part(text: Expression | TemplateText, node: cel.Node) -> Expression | TemplateText:
    """A part of an expression, at its place in the same text."""
    if isinstance(text, Expression):
        return replace(text, node=node)
    return replace(text, template=replace(text.template, node=node))


def _payloads(action: Action) -> Iterator[tuple[Role, TemplateText]]:
    if isinstance(action, CommandAction):
        yield from _templates(action.args, "payload")
    else:
        yield from _templates(action.subject, "subject")
        yield from _templates(action.data, "payload")


def _templates(payload: Payload, role: Role) -> Iterator[tuple[Role, TemplateText]]:
    if isinstance(payload, TemplateText):
        yield role, payload
    elif isinstance(payload, dict):
        for value in payload.values():
            yield from _templates(value, role)
    elif isinstance(payload, list):
        for value in payload:
            yield from _templates(value, role)
