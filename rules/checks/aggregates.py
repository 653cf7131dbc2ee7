"""Calls of aggregates that have no meaning: with too many arguments or none, or within each other."""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.aggregates import calls, is_aggregate
from rules.checks.context import Context, texts_of_window
from rules.diagnostics import Diagnostic, shown
from rules.model.source import Expression, TemplateText
from rules.pointing import point, value_of


def check(context: Context) -> Iterator[Diagnostic]:
    for rule in context.ruleset.rules:
        if rule.window is None:
            continue
        for text in texts_of_window(rule):
            node = text.node if isinstance(text, Expression) else text.template.node
            for call in calls(node):
                yield from _call(context, text, call)


def _call(context: Context, text: Expression | TemplateText, call: cel.Call) -> Iterator[Diagnostic]:
    name = shown(call.function)
    wanted = 0 if call.function == "count" else 1
    if len(call.arguments) != wanted:
        given = f"{len(call.arguments)} argument{'s' * (len(call.arguments) != 1)}"
        message = f"{name} takes {'one value of `event`' if wanted else 'nothing'}, and has {given}"
        hint = "such as `sum(event.data.amount)`" if wanted else "what is counted is what `when` lets into the window"
        yield _at(context, text, call, message, hint)
    for argument in call.arguments:
        for inner in cel.walk(argument):
            if is_aggregate(inner):
                message = f"{name} cannot be asked of another aggregate"
                yield _at(
                    context, text, inner, message, f"{name} is asked of each event: `{call.function}(event.data.…)`"
                )
                return


def _at(context: Context, text: Expression | TemplateText, node: cel.Node, message: str, hint: str) -> Diagnostic:
    error = cel.CelCheckError(message, value_of(text), node.start, node.end, hint)
    return point(error, text.written, text.span, value_of(text), context.line_of, "expression")
