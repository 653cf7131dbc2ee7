"""From pieces to text: indentation, order, empty lines, and what goes on one line.

Lists and maps in brackets keep them where they fit on their line and hold no comment; else they are written as blocks.
What fits is decided from their text alone, so that laying out what was laid out changes nothing.
"""

from __future__ import annotations

from typing import Final

from rules.formatting import scalars
from rules.formatting.order import APART, ORDER, inside, place
from rules.formatting.pieces import Piece, is_flow
from rules.formatting.scalars import STEP
from rules.text.nodes import Mapping, Scalar, Sequence

WIDTH: Final = 120


def yaml(text: str, root: Piece) -> str:
    """`root` is arranged anew on the way."""
    _arrange(root, "file")
    layout = _Layout(text)
    said = layout.fitting(root, 0)
    lines = layout.block(root, 0, "file") if said is None else [said, *root.foot]
    return "\n".join([*root.leading, *lines]) + "\n"


def json(text: str, root: Piece) -> str:
    """Brackets stay; what does not fit on its line gets a line for each entry."""
    _arrange(root, "file")
    return "\n".join(_Layout(text).bracketed(root, 0, "")) + "\n"


class _Layout:
    def __init__(self, text: str) -> None:
        self._text = text

    def fitting(self, piece: Piece, before: int) -> str | None:
        """A value in brackets on one line, if there is room behind so many characters."""
        if isinstance(piece.node, Scalar) or not is_flow(self._text, piece.node):
            return None
        said = self._one_line(piece)
        return said if said is not None and before + len(said) <= WIDTH else None

    def block(self, piece: Piece, indent: int, what: str) -> list[str]:
        """The children of a list or map, each on lines of its own."""
        lines: list[str] = []
        before, is_open = 0, False
        for number, child in enumerate(piece.children):
            under = inside(what, None if child.key is None else child.key.value)
            above = self._above(child, indent)
            natural = bool(above) and not above[0]
            while above and not above[0]:
                above.pop(0)
            made = self._entry(child, indent, under)
            size = len(above) + len(made)
            if number and not is_open and (natural or (what in APART and max(size, before) > 1)):
                lines.append("")
            lines += [_indented(line, indent) for line in above] + made
            before, is_open = len(made), self._is_open(child)
        foot = piece.foot[1:] if is_open and piece.foot[:1] == [""] else piece.foot
        return lines + [_indented(line, indent) for line in foot]

    def bracketed(self, piece: Piece, indent: int, before: str) -> list[str]:
        """A value of JSON behind what stands before it on its line."""
        begin = " " * indent + before
        said = self._one_line(piece)
        assert said is not None, "JSON has no comments and no texts of several lines"
        if not piece.children or (indent and len(begin) + len(said) < WIDTH):
            return [begin + said]
        left, right = ("[", "]") if isinstance(piece.node, Sequence) else ("{", "}")
        lines = [begin + left]
        for child in piece.children:
            key = "" if child.key is None else f"{self._key(child)} "
            lines += self.bracketed(child, indent + STEP, key)
            lines[-1] += ","
        lines[-1] = lines[-1].removesuffix(",")
        return [*lines, " " * indent + right]

    def _one_line(self, piece: Piece) -> str | None:
        """None if it needs several."""
        node = piece.node
        if isinstance(node, Scalar):
            return scalars.on_one_line(self._text, node)
        if piece.commented:
            return None
        parts: list[str] = []
        for child in piece.children:
            said = self._one_line(child)
            if said is None:
                return None
            parts.append(said if child.key is None else f"{self._key(child)} {said}")
        listed = ", ".join(parts)
        return f"[{listed}]" if isinstance(node, Sequence) else f"{{{listed}}}"

    def _key(self, piece: Piece) -> str:
        assert piece.key is not None
        return scalars.key(self._text, piece.key) + ":"

    def _above(self, child: Piece, indent: int) -> list[str]:
        """The comments over a child; for an item that becomes a block, also the one behind it, which has no line."""
        if child.key is not None or child.behind is None or not child.children:
            return [*child.leading]
        return [*child.leading, child.behind] if self.fitting(child, indent + STEP) is None else [*child.leading]

    def _entry(self, child: Piece, indent: int, under: str) -> list[str]:
        begin = " " * indent + ("-" if child.key is None else self._key(child))
        if isinstance(child.node, Scalar):
            return self._scalar(child, child.node, begin, indent)
        said = self.fitting(child, len(begin) + 1)
        if said is not None:
            return [_with(f"{begin} {said}", child, indent)]
        lines = self.block(child, indent + STEP, under)
        if child.key is None:
            return [f"{begin} {lines[0][indent + STEP :]}", *lines[1:]]
        return [_with(begin, child, indent), *lines]

    def _scalar(self, child: Piece, node: Scalar, begin: str, indent: int) -> list[str]:
        one = scalars.on_one_line(self._text, node)
        if one is not None:
            return [_with(f"{begin} {one}" if one else begin, child, indent)]
        if scalars.is_block(node):
            header, lines = scalars.block(self._text, node, indent + STEP, child.indent)
            return [_with(f"{begin} {header}", child, indent), *lines]
        first, *others = scalars.folded(self._text, node, indent + STEP)
        return [f"{begin} {first}", *others[:-1], _with(others[-1], child, indent)]

    def _is_open(self, piece: Piece) -> bool:
        """Whether an empty line behind it would become part of its last text."""
        if isinstance(piece.node, Scalar):
            return scalars.is_open(self._text, piece.node)
        return not piece.foot and bool(piece.children) and self._is_open(piece.children[-1])


def _arrange(piece: Piece, what: str) -> None:
    """Puts keys into their order. What is said above the first entry of an item is said above the item."""
    if isinstance(piece.node, Mapping) and what in ORDER:
        piece.children.sort(key=lambda child: place(what, "" if child.key is None else child.key.value))
    for child in piece.children:
        _arrange(child, inside(what, None if child.key is None else child.key.value))
    for child in piece.children:
        if child.key is None and child.children:
            first = child.children[0]
            child.leading += [line for line in first.leading if line]
            first.leading = []


def _indented(line: str, indent: int) -> str:
    return " " * indent + line if line else ""


def _with(line: str, piece: Piece, indent: int) -> str:
    """With the comment on it, at the column that its author gave it, so that columns of comments stay."""
    if piece.behind is None:
        return line
    return f"{line:<{max(indent + piece.column - 1, len(line) + STEP)}}{piece.behind}"
