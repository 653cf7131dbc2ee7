"""The CEL profile of the rule language: from text to values, to types, and to fast Python code.

`compile` and `template` are for whoever evaluates a few expressions; rule compilers use `parse`, `check`, `paths`,
`equality` and `emit`. The language is defined by the rule language's page, its meaning by `exact`. Nothing here reads a
clock, a random number, the network or a file of the machine, and nothing but a `CelError` is raised for any text and
any values.
"""

from rules.cel import emit, types
from rules.cel.check import check
from rules.cel.errors import (
    CelBudgetError,
    CelCheckError,
    CelError,
    CelEvaluationError,
    CelSyntaxError,
    NotEvaluated,
)
from rules.cel.exact import Evaluator, Explanation, Step
from rules.cel.nodes import Call, Node, walk
from rules.cel.parse import parse
from rules.cel.paths import Path, conjuncts, equality, names, ordering, path, paths
from rules.cel.program import Program, compile
from rules.cel.rewrite import replaced
from rules.cel.scope import Scope
from rules.cel.template import Template, template
from rules.cel.text import inline, payload, text

__all__ = [
    "Call",
    "CelBudgetError",
    "CelCheckError",
    "CelError",
    "CelEvaluationError",
    "CelSyntaxError",
    "Evaluator",
    "Explanation",
    "Node",
    "NotEvaluated",
    "Path",
    "Program",
    "Scope",
    "Step",
    "Template",
    "check",
    "compile",
    "conjuncts",
    "emit",
    "equality",
    "inline",
    "names",
    "ordering",
    "parse",
    "path",
    "paths",
    "payload",
    "replaced",
    "template",
    "text",
    "types",
    "walk",
]
