"""From text to nodes, by libyaml's events.

The tree is built here and not by a loader: no tag is resolved, no object made, no anchor expanded; maps keep the places
of their keys, so that a key that stands twice is an error that shows both. The nesting is bounded and nothing recurses,
so no text is too deep. JSON is read the same way, being YAML.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from rules.diagnostics import Diagnostic, Findings, shown
from rules.text.mistakes import explain, quote_this
from rules.text.nodes import Mapping, Node, Scalar, Sequence, Style
from rules.text.source import Source

MAX_DEPTH: Final = 50
MAX_NODES: Final = 500_000

_STYLES: Final[dict[str | None, Style]] = {"'": "single", '"': "double", "|": "literal", ">": "folded"}


def compose(source: Source, findings: Findings) -> Node | None:
    """The one document of the file, or None with errors in `findings`.

    A key that stands twice is an error too, but does not keep the rest of the file from being read."""
    composer = _Composer(source, findings)
    try:
        return composer.run(yaml.CSafeLoader(source.text))
    except _Refused:
        return None
    except yaml.MarkedYAMLError as error:
        findings.add(explain(source, error))
        return None


class _Refused(Exception):
    """The reason is in the findings."""


class _Composer:
    def __init__(self, source: Source, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._broken = False

    def run(self, parser: Any) -> Node | None:
        root: Node | None = None
        stack: list[Sequence | Mapping] = []
        keys: list[Scalar | None] = []
        """For each map on the stack the key that waits for its value."""
        nodes = 0
        while True:
            event = parser.get_event()
            kind = event.__class__
            node: Node
            if kind is yaml.ScalarEvent:
                node = self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                node = self._collection(event)
                if len(stack) >= MAX_DEPTH:
                    self._fail(event, f"lists and maps are nested deeper than {MAX_DEPTH}")
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                closed = stack.pop()
                keys.pop()
                closed.end = event.end_mark.index
                continue
            elif kind is yaml.AliasEvent:
                self._alias(event)
                node = Scalar("", "plain", *_place(event))
            elif kind is yaml.DocumentStartEvent:
                if root is not None:
                    self._fail(
                        event, "the file holds more than one document", "what stands behind `---` is another file"
                    )
                if event.version not in (None, (1, 2)):
                    self._fail(event, "rule files are YAML 1.2", "leave the `%YAML` line out")
                continue
            elif kind is yaml.StreamEndEvent:
                return None if self._broken else root
            else:
                continue
            nodes += 1
            if nodes > MAX_NODES:
                self._fail(
                    event, f"the file holds more than {MAX_NODES:,} values", "several files can make one rule set"
                )
            if not stack:
                root = node
            elif not self._put(stack[-1], keys, node):
                continue
            if isinstance(node, (Mapping, Sequence)):
                stack.append(node)
                keys.append(None)

    def _put(self, parent: Sequence | Mapping, keys: list[Scalar | None], node: Node) -> bool:
        """Whether what is inside of the node follows."""
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return True
        key = keys[-1]
        if key is None:
            if not isinstance(node, Scalar):
                what = "a list" if isinstance(node, Sequence) else "a map"
                hint = 'a `${…}` must be quoted: `"${…}"`' if self._dollar(node) else "keys are texts"
                self._error(node.line, node.column, node.column + 1, f"{what} cannot be a key", hint)
                raise _Refused
            keys[-1] = node
            return True
        keys[-1] = None
        known = parent.entries.get(key.value)
        if known is None:
            parent.entries[key.value] = (key, node)
        else:
            first = known[0]
            message = f"{shown(key.value)} stands twice in the map: it is also in line {first.line}"
            if first.line == key.line:
                message += f", column {first.column}"
            self._error(key.line, key.column, key.column + key.end - key.start, message, None, "duplicate-key")
        return True

    def _dollar(self, node: Node) -> bool:
        return node.start > 0 and self._source.text[node.start - 1] == "$"

    def _scalar(self, event: Any) -> Scalar:
        if event.tag is not None or event.anchor is not None:
            self._property(event)
        return Scalar(event.value, _STYLES.get(event.style, "plain"), *_place(event))

    def _collection(self, event: Any) -> Mapping | Sequence:
        if event.tag is not None or event.anchor is not None:
            self._property(event)
        if isinstance(event, yaml.MappingStartEvent):
            return Mapping({}, *_place(event))
        return Sequence([], *_place(event))

    def _property(self, event: Any) -> None:
        what, sign = ("a tag", "!") if event.tag is not None else ("an anchor", "&")
        self._refuse(event, f"YAML reads this as {what}, because it begins with `{sign}`")

    def _alias(self, event: Any) -> None:
        self._refuse(event, "YAML reads this as an alias, because it begins with `*`")

    def _refuse(self, event: Any, message: str) -> None:
        mark = event.start_mark
        length = 1 if event.end_mark.line != mark.line else max(1, event.end_mark.column - mark.column)
        hint = quote_this(self._source, mark.line + 1, mark.column + 1)
        self._error(mark.line + 1, mark.column + 1, mark.column + 1 + length, message, hint)
        self._broken = True

    def _fail(self, event: Any, message: str, hint: str | None = None) -> None:
        mark = event.start_mark
        self._error(mark.line + 1, mark.column + 1, mark.column + 2, message, hint)
        raise _Refused

    def _error(
        self, line: int, column: int, end: int, message: str, hint: str | None = None, code: str = "yaml"
    ) -> None:
        name, text = self._source.name, self._source.line(line)
        self._findings.add(Diagnostic("error", code, message, name, line, column, end, hint, text))


def _place(event: Any) -> tuple[int, int, int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1, mark.index, event.end_mark.index
