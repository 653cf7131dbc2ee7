"""Values with the comments that belong to them, so that they move together.

A comment belongs to what follows it, or to what stands before it on its line; one at the end of a list or map belongs
to that list or map if it is indented like what is in there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rules.formatting.comments import Comment, Comments, block_header
from rules.text.nodes import Mapping, Node, Scalar, Sequence


@dataclass(slots=True, eq=False)
class Piece:
    """An entry of a map (with its key) or an item of a list, or the whole file."""

    node: Node
    key: Scalar | None = None
    leading: list[str] = field(default_factory=list)
    """Comments above it; "" is an empty line."""
    behind: str | None = None
    """The comment on its line: behind the value, or behind the key of a value on other lines."""
    column: int = 0
    """Where that stands, from 1, if what is around it is not indented, for one that its author put into a column; right
    behind the value if there is no room."""
    foot: list[str] = field(default_factory=list)
    """Comments behind the last of its children."""
    children: list[Piece] = field(default_factory=list)
    indent: int = 0
    """How far the map or list around it is indented in the file."""

    @property
    def commented(self) -> bool:
        """Whether a comment stands within the value."""
        return bool(self.foot) or any(child.behind or any(child.leading) or child.commented for child in self.children)


def pieces(text: str, root: Node) -> Piece:
    return _Attaching(text, Comments(text, root)).whole(root)


class _Attaching:
    def __init__(self, text: str, comments: Comments) -> None:
        self._text = text
        self._comments = comments

    def whole(self, root: Node) -> Piece:
        made = Piece(root)
        self._children(made, len(self._text) + 1, 0)
        made.foot += _lines(self._comments.until(len(self._text) + 1))
        if made.children:
            first = made.children[0]
            above, first.leading = _head(first.leading)
            made.leading += above
        return made

    def _children(self, owner: Piece, limit: int, outer: int) -> None:
        """`limit` is where the flow collection ends that all of it stands in, `outer` the column of the map or list
        around it."""
        node = owner.node
        if isinstance(node, Scalar):
            return
        flow = is_flow(self._text, node)
        limit = node.end - 1 if flow else limit
        for key, value in _inside(node):
            begin = value.start if key is None else key.start
            child = Piece(value, key, _lines(self._comments.until(begin)), indent=node.column - 1)
            if self._comments.after_blank(begin):
                child.leading.append("")
            if key is not None:
                self._say_behind(child, self._comments.behind(key.end, min(limit, value.start)), flow)
            if isinstance(value, Scalar):
                child.leading += [comment.text for comment in self._comments.until(value.start)]
                if (header := block_header(self._text, value)) is not None and header[1]:
                    self._say_behind(child, Comment(header[1].rstrip(), header.start(1), 0, False, False), flow)
            self._children(child, limit, node.column)
            self._say_behind(child, self._comments.behind(self._end(child), limit), flow)
            owner.children.append(child)
        foot = _lines(self._comments.until(limit) if flow else self._foot(owner, limit, outer))
        (owner.foot if owner.children else owner.leading).extend(foot)

    def _say_behind(self, piece: Piece, comment: Comment | None, flow: bool) -> None:
        """There is room for one on a line; the first of two goes above."""
        if comment is None:
            return
        if piece.behind is not None:
            piece.leading.append(piece.behind)
        piece.behind = comment.text
        line = self._text[self._text.rfind("\n", 0, comment.start) + 1 : comment.start]
        apart = len(line) - len(line.rstrip(" \t")) > 2
        piece.column = comment.column - piece.indent if apart and not flow else 0

    def _foot(self, owner: Piece, limit: int, outer: int) -> list[Comment]:
        """Comments behind the last child of a block, as far as they are indented like its children."""
        last = self._end(owner)
        until = min(limit, self._comments.next_value(last))
        least = max(owner.node.column, outer + 1)
        taken: list[Comment] = []
        while (comment := self._comments.peek()) is not None and comment.start < until:
            if not comment.alone or comment.column < least:
                break
            taken.append(self._comments.take())
        return taken

    def _end(self, piece: Piece) -> int:
        """Behind the last character of a value."""
        node = piece.node
        if not isinstance(node, Scalar):
            return node.end if not piece.children or is_flow(self._text, node) else self._end(piece.children[-1])
        if node.end == node.start:
            return node.end if piece.key is None else piece.key.end
        return node.start + len(self._text[node.start : node.end].rstrip("\n"))


def is_flow(text: str, node: Mapping | Sequence) -> bool:
    """Written with brackets."""
    return text[node.start : node.start + 1] in ("{", "[")


def _inside(node: Mapping | Sequence) -> list[tuple[Scalar | None, Node]]:
    if isinstance(node, Sequence):
        return [(None, item) for item in node.items]
    return list(node.entries.values())


def _lines(comments: list[Comment]) -> list[str]:
    made: list[str] = []
    for comment in comments:
        if comment.after_blank:
            made.append("")
        made.append(comment.text)
    return made


def _head(leading: list[str]) -> tuple[list[str], list[str]]:
    """What is said of the file, above the first empty line, and what of its first entry. Editors look for their schema
    in the first lines."""
    while leading and not leading[0]:
        leading = leading[1:]
    if "" in leading:
        last = len(leading) - leading[::-1].index("")
        return leading[:last], leading[last:]
    named = sum(line.startswith("# yaml-language-server:") for line in leading[:1])
    return leading[:named], leading[named:]
