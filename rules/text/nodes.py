"""YAML as a tree: scalars, lists and maps, each with its place in the file.

Made by `rules.text.yaml`, read by `rules.reading`. Indexes are code points into the text of the file, lines and columns
count from 1. Scalars are text: what it means is decided by whoever reads it (`rules.text.scalars`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Style = Literal["plain", "single", "double", "literal", "folded"]


@dataclass(slots=True, eq=False)
class Scalar:
    value: str
    style: Style
    line: int
    column: int
    start: int
    end: int
    """Behind the last character, closing quote included."""


@dataclass(slots=True, eq=False)
class Sequence:
    items: list[Node]
    line: int
    column: int
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Mapping:
    entries: dict[str, tuple[Scalar, Node]]
    """Key → (the key as it stands in the file, the value), in file order."""
    line: int
    column: int
    start: int
    end: int


Node = Scalar | Sequence | Mapping


def kind(node: Node) -> str:
    """What a node is, fit for a message."""
    match node:
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case Scalar(value="", style="plain"):
            return "nothing"
        case Scalar(value="~" | "null", style="plain"):
            return "null"
        case Scalar():
            return "a text"
