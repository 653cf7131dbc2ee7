"""A small YAML file as plain values, and where each of them stands, so that errors can name a line.

Mappings, lists and scalars only: tags, anchors and duplicate keys are errors. Only `true`, `false`, `null` and decimal
numbers are not text, so `10s`, `on` and `12:30` are what they look like. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_WORDS: Final[dict[str, Any]] = {"": None, "~": None, "null": None, "true": True, "false": False}
DEEPEST: Final = 20

Path = tuple[str | int, ...]


class YamlError(ValueError):
    """`line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class Places:
    """(line, column) of the value at a path of keys and list places; of the nearest one above it that exists."""

    def __init__(self) -> None:
        self._found: dict[Path, tuple[int, int]] = {(): (1, 1)}

    def add(self, path: Path, mark: yaml.Mark) -> None:
        self._found[path] = (mark.line + 1, mark.column + 1)

    def of(self, path: Path) -> tuple[int, int]:
        while path not in self._found:
            path = path[:-1]
        return self._found[path]


def read(text: str) -> tuple[Any, Places]:
    """Raises YamlError."""
    places = Places()
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise YamlError(error.problem or str(error), *place) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = (before.count("\n") + 1, error.position - before.rfind("\n"))
        raise YamlError(f"the character U+{ord(text[error.position]):04X} is not allowed: remove it", *place) from None
    except YamlError:
        raise
    except (ValueError, OverflowError) as error:
        raise YamlError(f"an escape in quotes names no character ({error}): correct it", 1, 1) from None
    return (_value(root, (), places) if root is not None else None), places


class _Loader(yaml.SafeLoader):
    """Aliases are refused while nodes are composed, before they can multiply."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        if getattr(event, "anchor", None) is not None:
            raise YamlError("anchors and aliases are not allowed: write the value out", mark.line + 1, mark.column + 1)
        if getattr(event, "tag", None) is not None:
            raise YamlError("tags are not allowed: leave it away", mark.line + 1, mark.column + 1)
        if self._depth == DEEPEST:
            raise YamlError("nested too deep", mark.line + 1, mark.column + 1)
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _value(node: yaml.Node, path: Path, places: Places) -> Any:
    if path not in places._found or path == ():
        places.add(path, node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, place), places) for place, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("a key must be text", key)
            if key.value in found:
                within = f" in `{'.'.join(map(str, path))}`" if path else ""
                raise _error(f"`{key.value}` is there twice{within}: remove one", key)
            places.add((*path, key.value), key.start_mark)
            found[key.value] = _value(value, (*path, key.value), places)
        return found
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _error(message: str, node: yaml.Node) -> YamlError:
    return YamlError(message, node.start_mark.line + 1, node.start_mark.column + 1)
