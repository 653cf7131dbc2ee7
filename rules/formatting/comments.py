"""The comments of a rule file, which the tree of its values does not hold.

Whatever lies between two scalars is white space, brackets, commas, dashes, colons and comments; so a `#` there begins a
comment, and one within a scalar never does.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rules.text.nodes import Mapping, Node, Scalar, Sequence

_COMMENT: Final = re.compile(r"#[^\n]*")
_BLOCK_HEADER: Final = re.compile(r"[|>][0-9+-]*[ \t]*(#[^\n]*)?")


@dataclass(frozen=True, slots=True)
class Comment:
    text: str
    """With its `#`, without white space behind it."""
    start: int
    column: int
    """From 1."""
    alone: bool
    """Nothing else stands on its line."""
    after_blank: bool
    """The line before is empty."""


class Comments:
    """All of one file, taken off in the order of the text."""

    def __init__(self, text: str, root: Node) -> None:
        """Lines of `text` end in a line feed alone."""
        self._text = text
        spans = [(scalar.start, scalar.end) for scalar in scalars(root)]
        self._starts = [start for start, end in spans if end > start]
        self._found = list(self._between(spans))
        self._next = 0

    def peek(self) -> Comment | None:
        return self._found[self._next] if self._next < len(self._found) else None

    def take(self) -> Comment:
        self._next += 1
        return self._found[self._next - 1]

    def until(self, end: int) -> list[Comment]:
        taken: list[Comment] = []
        while (comment := self.peek()) is not None and comment.start < end:
            taken.append(self.take())
        return taken

    def behind(self, end: int, limit: int) -> Comment | None:
        """The comment on the line on which a value ends, if it is the next thing there and begins before `limit`."""
        comment = self.peek()
        limit = min(limit, self.next_value(end))
        if comment is None or not end <= comment.start < limit or "\n" in self._text[end : comment.start]:
            return None
        return self.take()

    def next_value(self, position: int) -> int:
        """Where the next scalar begins."""
        place = bisect_left(self._starts, position)
        return self._starts[place] if place < len(self._starts) else len(self._text)

    def after_blank(self, position: int) -> bool:
        """Whether the line before that of `position` is empty, and only dashes stand before it on its own."""
        begin = self._text.rfind("\n", 0, position) + 1
        if begin == 0 or self._text[begin:position].strip(" \t-?"):
            return False
        return not self._text[self._text.rfind("\n", 0, begin - 1) + 1 : begin - 1].strip()

    def _between(self, spans: list[tuple[int, int]]) -> Iterator[Comment]:
        behind = 0
        for start, end in [*spans, (len(self._text), len(self._text))]:
            for match in _COMMENT.finditer(self._text, behind, max(start, behind)):
                at = match.start()
                begin = self._text.rfind("\n", 0, at) + 1
                alone = not self._text[begin:at].strip()
                yield Comment(match.group().rstrip(), at, at - begin + 1, alone, alone and self.after_blank(at))
            behind = max(behind, end)


def scalars(root: Node) -> Iterator[Scalar]:
    """Keys and values, in the order of the text. Nesting is bounded by the reader."""
    match root:
        case Scalar():
            yield root
        case Sequence():
            for item in root.items:
                yield from scalars(item)
        case Mapping():
            for key, value in root.entries.values():
                yield key
                yield from scalars(value)


def texts(text: str, root: Node) -> list[str]:
    """Every comment there is, sorted: also those behind the `|` of a block."""
    found = Comments(text, root)
    all = [comment.text for comment in found.until(len(text) + 1)]
    for scalar in scalars(root):
        header = block_header(text, scalar)
        if header is not None and header[1]:
            all.append(header[1].rstrip())
    return sorted(all)


def block_header(text: str, scalar: Scalar) -> re.Match[str] | None:
    """The `|` or `>` of a text in a block, with the comment behind it as its group."""
    return _BLOCK_HEADER.match(text, scalar.start) if scalar.style in ("literal", "folded") else None
