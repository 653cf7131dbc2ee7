"""One value as it stands in a file, moved to another indentation. Its quotes and escapes stay as they are."""

from __future__ import annotations

import re
from typing import Final

from rules.text.nodes import Scalar

STEP: Final = 2
LONGEST_KEY: Final = 1_000
"""YAML looks no further for the `:` behind a key (1,024 with its quotes)."""

_HEADER: Final = re.compile(r"([|>])([0-9+-]*)[ \t]*(?:#[^\n]*)?\n?")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def is_block(scalar: Scalar) -> bool:
    return scalar.style in ("literal", "folded")


def on_one_line(text: str, scalar: Scalar) -> str | None:
    """As written, if that is one line."""
    raw = text[scalar.start : scalar.end]
    return None if "\n" in raw or is_block(scalar) else raw


def key(text: str, scalar: Scalar) -> str:
    """As written, or quoted where that is several lines; with `? ` where it is long."""
    raw = on_one_line(text, scalar)
    said = quoted(scalar.value) if raw is None else raw
    return f"? {said} " if len(said) > LONGEST_KEY else said


def quoted(value: str) -> str:
    return '"' + "".join(_ESCAPES.get(each) or _printable(each) for each in value) + '"'


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def folded(text: str, scalar: Scalar, indent: int) -> list[str]:
    """Plain or quoted over several lines: how the first is indented says nothing, and how the others are neither."""
    first, *others = text[scalar.start : scalar.end].split("\n")
    if scalar.style != "double":
        # in double quotes a blank behind a backslash is a blank
        first, others = first.rstrip(), [line.rstrip() for line in others]
    moved = [" " * indent + line.lstrip(" \t") if line.strip() else "" for line in others]
    return [first, *moved]


def block(text: str, scalar: Scalar, indent: int, outer: int) -> tuple[str, list[str]]:
    """A text behind `|` or `>`: what stands on its first line, but for comments, and its own lines.

    `outer` is how far the map or list around it is indented in the file."""
    raw = text[scalar.start : scalar.end]
    header = _HEADER.match(raw)
    assert header is not None
    sign, indicators = header[1], header[2]
    lines = raw[header.end() :].split("\n")
    digit = next((int(each) for each in indicators if each.isdigit()), None)
    filled = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")]
    depth = outer + digit if digit else filled[0] if filled else max(map(len, lines))
    said = [line[depth:] for line in lines]
    ended = not said[-1]
    if ended:
        said.pop()  # what stands behind the last line end
    while said and not said[-1] and "+" not in indicators:
        said.pop()
    begin = next((line for line in said if line), "")
    # a text that ends with its file, without a line end, has none
    chomping = indicators.strip("123456789") if ended else "-"
    made = f"{sign}{STEP if begin.startswith(' ') else ''}{chomping}"
    return made, [" " * indent + line if line else "" for line in said]


def is_open(text: str, scalar: Scalar) -> bool:
    """Whether empty lines behind it are its own."""
    header = _HEADER.match(text, scalar.start) if is_block(scalar) else None
    return header is not None and "+" in header[2]
