"""Payload strings: literal text with `${ CEL }` inside.

A string that is one whole `${…}` keeps the value's type (as JSON, see `text.payload`); anything around it makes a
string, in which null is `null` and lists and maps are compact JSON. `$${` is a literal `${`. The end of a `${` is found
by CEL's own scanner, so braces in strings, comments and maps do not end it. All offsets, in nodes and in errors, are
into the whole payload string.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rules.cel import limits
from rules.cel.check import check_constants
from rules.cel.errors import CelSyntaxError
from rules.cel.exact import Evaluator
from rules.cel.nodes import Literal, Node, Render
from rules.cel.parse import build, exactly
from rules.cel.paths import names
from rules.cel.scan import scan


@dataclass(frozen=True, slots=True)
class Template:
    """`parts` are the texts and trees in order; `whole` says that there is one tree and nothing around it.

    `node` is the same as one tree: what `emit`, `check`, `names` and `paths` take. Without any `${` it is a literal.
    """

    text: str
    parts: tuple[str | Node, ...]
    whole: bool
    node: Node

    @property
    def constant(self) -> bool:
        return isinstance(self.node, Literal)

    @property
    def names(self) -> frozenset[str]:
        return names(self.node)

    def __call__(self, variables: Mapping[str, object]) -> Any:
        """The JSON value for these variables. Raises `CelEvaluationError` and nothing else."""
        return Evaluator(self.node).run(variables)


def template(text: str, functions: Iterable[str] = ()) -> Template:
    """Reads a payload string. Raises `CelSyntaxError` with offsets into `text`."""
    text = exactly(text, "a payload string")
    if len(text) > limits.MAX_TEMPLATE:
        raise CelSyntaxError(f"the text is longer than {limits.MAX_TEMPLATE} characters", text, limits.MAX_TEMPLATE)
    further = frozenset(functions)
    parts: list[str | Node] = []
    nodes: list[Node] = []
    literal: list[str] = []
    literal_start = position = 0

    def flush(end: int) -> None:
        if literal:
            parts.append("".join(literal))
            nodes.append(Literal(literal_start, end, "".join(literal)))
            literal.clear()

    while (dollar := text.find("$", position)) >= 0:
        if not literal:
            literal_start = position
        if text.startswith("$${", dollar):
            literal.append(text[position:dollar] + "${")
            position = dollar + 3
        elif text.startswith("${", dollar):
            if dollar > position:
                literal.append(text[position:dollar])
            flush(dollar)
            if len(nodes) >= limits.MAX_TEMPLATE_PARTS:
                raise CelSyntaxError(
                    f"the text has more than {limits.MAX_TEMPLATE_PARTS} parts", text, dollar, dollar + 2
                )
            tokens, end = scan(text, dollar + 2, until_brace=True)
            if end < 0:
                raise CelSyntaxError("`${` is not closed", text, dollar, dollar + 2, "a literal `${` is written `$${`")
            node = build(text, tokens, dollar + 2, end, further)
            check_constants(node, text)
            parts.append(node)
            nodes.append(node)
            position = end + 1
        else:
            literal.append(text[position : dollar + 1])
            position = dollar + 1
    if position < len(text):
        if not literal:
            literal_start = position
        literal.append(text[position:])
    flush(len(text))
    if not any(isinstance(part, Node) for part in parts):
        value = "".join(part for part in parts if isinstance(part, str))
        return Template(text, tuple(parts), False, Literal(0, len(text), value))
    whole = len(parts) == 1
    return Template(text, tuple(parts), whole, Render(0, len(text), tuple(nodes), whole))
