"""Trees with some of their nodes replaced: the rest is shared, and every node keeps its place in the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from rules.cel.nodes import Node, walk


def replaced(root: Node, new: Mapping[Node, Node]) -> Node:
    """The tree with `new` in the place of its keys. What lies below a replaced node is not looked at."""
    made: dict[Node, Node] = dict(new)
    # children stand behind their parents, and chains may lean deeper than Python recurses
    for node in reversed(list(walk(root))):
        if node in made:
            continue
        parts = {each.name: getattr(node, each.name) for each in fields(node)}
        changed = {name: _with(part, made) for name, part in parts.items() if isinstance(part, (Node, tuple))}
        different = {name: part for name, part in changed.items() if part is not parts[name]}
        made[node] = replace(node, **different) if different else node
    return made[root]


def _with(part: Any, made: Mapping[Node, Node]) -> Any:
    if isinstance(part, Node):
        return made[part]
    if not isinstance(part, tuple):
        return part
    built = tuple(_with(each, made) for each in part)
    return part if all(a is b for a, b in zip(part, built, strict=True)) else built
