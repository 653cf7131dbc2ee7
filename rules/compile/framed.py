"""Functions of a `Frame`: every expression of a rule set, compiled with its exact evaluator behind it.

These are the definition of what a rule does. They serve whatever is not on the hot path, and what fast code could not
evaluate; the fused functions of `rules.compile.fused` must agree with them. All raise `cel.CelEvaluationError` with the
reason when there is no value, and `msgspec.DecodeError` or `RecursionError` when an event's data is no JSON.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from rules import cel
from rules.cel import emit
from rules.cel.nodes import Render
from rules.cel.numbers import normal
from rules.compile.code import function, name, quote
from rules.compile.rows import Rows, stored
from rules.compile.variables import FRAME, Frame, Variables, row_prologue
from rules.model.action import Action, CommandAction
from rules.model.source import Expression, Payload, TemplateText

Named = Sequence[tuple[str, Expression]]
_ABSORBED = """
try:
    VALUE
except ERROR as error:
    TARGET = error.again()
"""


class Compiler:
    """Makes functions of a frame; knows the rule set's projections, name → id."""

    def __init__(self, projections: dict[str, Rows]) -> None:
        self._projections = projections
        self._prologue = FRAME + row_prologue(projections)

    def text(self, title: str, node: cel.Node) -> Callable[[Frame], str]:
        """A key: the canonical text of the value."""
        scope = self._scope()
        code = emit.statements(node, scope, "value")
        made = ast.Return(ast.Call(scope.bind(cel.text), [name("value")], []))
        return self._function(title, [*code, made], scope)

    def condition(self, title: str, node: cel.Node, lets: Named = ()) -> Callable[[Frame], bool]:
        scope = self._scope(lets)
        code = emit.statements(node, scope, "value", condition=True)
        return self._function(title, [*code, ast.Return(name("value"))], scope)

    def lets(self, title: str, lets: Named) -> Callable[[Frame], dict[str, Any]]:
        """All values, in order; one that cannot be evaluated is its error, and later ones may still read it as such."""
        scope = self._scope()
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
        names = [ast.Constant(let) for let, _ in lets]
        values = [name(f"let{place}") for place in range(len(lets))]
        return self._function(title, [*body, ast.Return(ast.Dict([*names], [*values]))], scope)

    def values(self, title: str, fields: Named) -> Callable[[Frame], dict[str, Any]]:
        """The values of a fold, as rows store them."""
        scope = self._scope()
        body: list[ast.stmt] = []
        for place, (_, expression) in enumerate(fields):
            body += emit.statements(expression.node, scope, f"field{place}")
        normalise = scope.bind(stored)
        names = [ast.Constant(field) for field, _ in fields]
        values = [ast.Call(normalise, [name(f"field{place}")], []) for place in range(len(fields))]
        return self._function(title, [*body, ast.Return(ast.Dict([*names], [*values]))], scope)

    def actions(self, title: str, actions: Sequence[Action], lets: Named) -> Callable[[Frame], list[Any]]:
        """What each action carries: the args of a command; (subject or None, data) of an emitted event."""
        scope = self._scope(lets)
        body: list[ast.stmt] = []
        made: list[ast.expr] = []
        for action in actions:
            if isinstance(action, CommandAction):
                made.append(_payload(action.args, scope, body))
            else:
                subject = _payload(action.subject, scope, body)
                if action.subject is not None:
                    subject = ast.Call(scope.bind(cel.text), [subject], [])
                made.append(ast.Tuple([subject, _payload(action.data, scope, body)], ast.Load()))
        return self._function(title, [*body, ast.Return(ast.List(made, ast.Load()))], scope)

    def _scope(self, lets: Named = ()) -> Variables:
        scope = Variables(self._projections)
        for let, _ in lets:
            scope.declare((let,), ast.Subscript(name("lets"), ast.Constant(let), ast.Load()), fallible=True)
        return scope

    def _function(self, title: str, body: list[ast.stmt], scope: Variables) -> Callable[[Frame], Any]:
        return function(title, "v", body, scope.namespace, self._prologue)


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
