"""Rule files as editors hand them to a validator: JSON values, without places."""

from __future__ import annotations

from typing import Any

from rules.diagnostics import Findings
from rules.text.nodes import Mapping, Node, Scalar, Sequence
from rules.text.scalars import NoValue, resolve
from rules.text.source import Source
from rules.text.yaml import compose


def instance(text: str) -> Any:
    """None for what is no YAML."""
    findings = Findings()
    root = compose(Source("rules.yaml", text), findings)
    return None if root is None else _value(root)


def _value(node: Node) -> Any:
    match node:
        case Scalar():
            try:
                return resolve(node)
            except NoValue:
                return node.value
        case Sequence():
            return [_value(item) for item in node.items]
        case Mapping():
            return {key: _value(value) for key, (_, value) in node.entries.items()}
