"""Functions of a `Frame`: every expression of a rule set, compiled with its exact evaluator behind it.

These are the definition of what a rule does. Generated when they are first called, they serve whatever is not on the
hot path, and what fast code could not evaluate; the fused functions of `rules.compile.fused` must agree with them. All
raise `cel.CelEvaluationError` with the reason when there is no value, and `msgspec.DecodeError` or `RecursionError`
when an event's data is no JSON.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from rules import cel
from rules.aggregates import Aggregate
from rules.cel import emit, types
from rules.cel.nodes import Render
from rules.cel.numbers import normal
from rules.compile.code import Deferred, function, name, quote
from rules.compile.rows import Rows, stored
from rules.compile.variables import FRAME, NO_NAMES, Frame, Names, Variables, named_prologue, row_prologue
from rules.model.action import Action, CommandAction
from rules.model.source import Expression, Payload, TemplateText
from rules.nodes.kept_column import admitted

Named = Sequence[tuple[str, Expression]]
_ABSORBED = """
try:
    VALUE
except ERROR as error:
    TARGET = error.again()
"""


class Decision(Protocol):
    """A decision table, as expressions read it (`rules.compile.table`)."""

    @property
    def inputs(self) -> Sequence[cel.Node]: ...

    def declare(self, scope: Variables, /) -> None:
        """For functions of a frame."""
        ...

    def inlined(self, scope: Variables, /) -> ast.expr:
        """For fused functions."""
        ...

    @property
    def kind(self) -> types.Type: ...

    def looked(self, frame: Frame, /) -> tuple[list[Any], list[int] | cel.CelEvaluationError]:
        """For explanations: the inputs, and the places of the rows that fit."""
        ...


class Compiler:
    """Makes functions of a frame; knows the rule set's projections."""

    def __init__(self, projections: dict[str, Rows]) -> None:
        self._projections = projections
        self.tables: Mapping[str, Decision] = {}
        self._prologue = f"{FRAME}{row_prologue(projections)}\n"

    def text(self, title: str, node: cel.Node) -> Callable[[Frame], str]:
        """A key: the canonical text of the value."""

        def write(scope: Variables) -> list[ast.stmt]:
            code = emit.statements(node, scope, "value")
            return [*code, ast.Return(ast.Call(scope.bind(cel.text), [name("value")], []))]

        return self._function(title, (), write)

    def condition(
        self,
        title: str,
        node: cel.Node,
        lets: Named = (),
        names: Names = NO_NAMES,
        aggregates: Sequence[Aggregate] = (),
    ) -> Callable[[Frame], bool]:
        def write(scope: Variables) -> list[ast.stmt]:
            return [*emit.statements(node, scope, "value", condition=True), ast.Return(name("value"))]

        return self._function(title, lets, write, names, aggregates)

    def traced(
        self,
        title: str,
        node: cel.Node,
        lets: Named = (),
        names: Names = NO_NAMES,
        aggregates: Sequence[Aggregate] = (),
    ) -> Callable[[Frame], cel.Explanation]:
        """The value by exact evaluation alone, with each comparison on the way. Raises no CelError."""

        def write(scope: Variables) -> list[ast.stmt]:
            return [ast.Return(emit.traced(node, scope))]

        return self._function(title, lets, write, names, aggregates)

    def lets(self, title: str, lets: Named, names: Names = NO_NAMES) -> Callable[[Frame], dict[str, Any]]:
        """All values, in order; one that cannot be evaluated is its error, and later ones may still read it as such."""

        def write(scope: Variables) -> list[ast.stmt]:
            body: list[ast.stmt] = []
            for place, (let, expression) in enumerate(lets):
                variable = f"let{place}"
                body += quote(
                    _ABSORBED,
                    VALUE=emit.statements(expression.node, scope, variable),
                    ERROR=scope.bind(cel.CelEvaluationError),
                    TARGET=ast.Name(variable, ast.Store()),
                )
                scope.declare((let,), variable, fallible=True)
            return [*body, _named((let for let, _ in lets), (name(f"let{place}") for place in range(len(lets))))]

        return self._function(title, (), write, names)

    def values(self, title: str, fields: Named) -> Callable[[Frame], dict[str, Any]]:
        """The values of a fold, as rows store them."""

        def write(scope: Variables) -> list[ast.stmt]:
            body: list[ast.stmt] = []
            for place, (_, expression) in enumerate(fields):
                body += emit.statements(expression.node, scope, f"field{place}")
            normalise = scope.bind(stored)
            values = (ast.Call(normalise, [name(f"field{place}")], []) for place in range(len(fields)))
            return [*body, _named((field for field, _ in fields), values)]

        return self._function(title, (), write)

    def arguments(self, title: str, columns: Sequence[tuple[cel.Node, Iterable[str]]]) -> Callable[[Frame], list[Any]]:
        """What an event brings to a window: the value of each argument, as it is kept for the functions beside it."""

        def write(scope: Variables) -> list[ast.stmt]:
            body: list[ast.stmt] = []
            made: list[ast.expr] = []
            for place, (node, functions) in enumerate(columns):
                body += emit.statements(node, scope, f"value{place}")
                admit = scope.bind(partial(admitted, functions=tuple(functions)))
                made.append(ast.Call(admit, [name(f"value{place}")], []))
            return [*body, ast.Return(ast.List(made, ast.Load()))]

        return self._function(title, (), write)

    def actions(
        self,
        title: str,
        actions: Sequence[Action],
        lets: Named,
        names: Names = NO_NAMES,
        aggregates: Sequence[Aggregate] = (),
    ) -> Callable[[Frame], list[Any]]:
        """What each action carries: (args, what each action of its fallback carries) of a command; (subject or None,
        data) of an emitted event."""

        def write(scope: Variables) -> list[ast.stmt]:
            body: list[ast.stmt] = []
            made = _actions(actions, scope, body)
            return [*body, ast.Return(made)]

        return self._function(title, lets, write, names, aggregates)

    def payload(self, title: str, payload: Payload) -> Callable[[Frame], Any]:
        def write(scope: Variables) -> list[ast.stmt]:
            body: list[ast.stmt] = []
            made = _payload(payload, scope, body)
            return [*body, ast.Return(made)]

        return self._function(title, (), write)

    def _function(
        self,
        title: str,
        lets: Named,
        write: Callable[[Variables], list[ast.stmt]],
        names: Names = NO_NAMES,
        aggregates: Sequence[Aggregate] = (),
    ) -> Callable[[Frame], Any]:
        def make() -> Callable[[Frame], Any]:
            scope = Variables(self._projections, names=names)
            for table in self.tables.values():
                table.declare(scope)
            for let, _ in lets:
                scope.declare((let,), ast.Subscript(name("lets"), ast.Constant(let), ast.Load()), fallible=True)
            for each in aggregates:
                held = ast.Subscript(name("aggregates"), ast.Constant(each.name), ast.Load())
                scope.declare((each.name,), held, fallible=True)
            prologue = self._prologue + named_prologue(len(names.others))
            return function(title, "v", write(scope), scope.namespace, prologue)

        return Deferred(make)


def _named(names: Iterable[str], values: Iterable[ast.expr]) -> ast.stmt:
    return ast.Return(ast.Dict([ast.Constant(each) for each in names], list(values)))


def _actions(actions: Sequence[Action], scope: Variables, body: list[ast.stmt]) -> ast.expr:
    made: list[ast.expr] = []
    for action in actions:
        if isinstance(action, CommandAction):
            args = _payload(action.args, scope, body)
            made.append(ast.Tuple([args, _actions(action.fallback, scope, body)], ast.Load()))
            continue
        subject = _payload(action.subject, scope, body)
        if action.subject is not None:
            subject = ast.Call(scope.bind(cel.text), [subject], [])
        made.append(ast.Tuple([subject, _payload(action.data, scope, body)], ast.Load()))
    return ast.List(made, ast.Load())


def _payload(payload: Payload, scope: Variables, body: list[ast.stmt]) -> ast.expr:
    """The code of a payload; what has to be evaluated for it goes to `body`."""
    if isinstance(payload, TemplateText):
        variable = scope.temporary()
        node = payload.template.node
        if isinstance(node, Render) and node.whole:
            body += emit.statements(node.parts[0], scope, variable)
            return ast.Call(scope.bind(stored), [name(variable)], [])
        body += emit.statements(node, scope, variable)
        return name(variable)
    if isinstance(payload, dict):
        values = [_payload(value, scope, body) for value in payload.values()]
        return ast.Dict([ast.Constant(key) for key in payload], values)
    if isinstance(payload, list):
        return ast.List([_payload(value, scope, body) for value in payload], ast.Load())
    number = isinstance(payload, (int, float)) and not isinstance(payload, bool)
    return ast.Constant(normal(payload) if number else payload)
