"""From a character of a scalar's value back to its place in the file.

A quoted or folded scalar is not what stands in the file: quotes are doubled, escapes shortened, lines folded. `indexes`
walks value and source side by side. It is called only when there is something to point at, so it may take its time;
where source and value do not agree the way it expects, it answers None, and the caller points at the scalar's start.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n|\n|\r")
_SPACE = re.compile(r"[ \t\r\n]+")
_BLANKS = " \t"
_ESCAPE_DIGITS = {"x": 2, "u": 4, "U": 8}


def indexes(raw: str, style: str, value: str) -> list[int] | None:
    """The index in `raw`, the scalar as it stands in the file, of each character of `value`, and of its end."""
    if style in ("literal", "folded"):
        return _block(raw, value)
    found = _flow(raw, style)
    made = "".join(character for character, _ in found)
    # the values of escapes are not worked out: any character may come of one
    same = len(made) == len(value) and all(a == b or a == "\\" for a, b in zip(made, value, strict=True))
    end = len(raw) if style == "plain" else len(raw) - 1
    return [*(index for _, index in found), end] if same else None


def _flow(raw: str, style: str) -> list[tuple[str, int]]:
    """The characters of a plain or quoted scalar with their indexes; `\\` stands for an escape."""
    start, stop = (0, len(raw)) if style == "plain" else (1, len(raw) - 1)
    found: list[tuple[str, int]] = []
    index = start
    while index < stop:
        character = raw[index]
        space = _SPACE.match(raw, index, stop)
        if space is not None:
            breaks = len(_LINE_END.findall(space.group()))
            if breaks == 0:
                found += [(raw[place], place) for place in range(index, space.end())]
            else:
                found += [(" ", index)] if breaks == 1 else [("\n", index)] * (breaks - 1)
            index = space.end()
        elif style == "single" and character == "'":
            found.append(("'", index))
            index += 2
        elif style == "double" and character == "\\":
            index = _escape(raw, index, stop, found)
        else:
            found.append((character, index))
            index += 1
    return found


def _escape(raw: str, index: int, stop: int, found: list[tuple[str, int]]) -> int:
    """One escape of a double-quoted scalar. An escaped line end stands for nothing, with what indents the next line."""
    line_end = _LINE_END.match(raw, index + 1, stop)
    if line_end is None:
        found.append(("\\", index))
        return index + 2 + _ESCAPE_DIGITS.get(raw[index + 1 : index + 2], 0)
    index = line_end.end()
    while index < stop and raw[index] in _BLANKS:
        index += 1
    return index


def _block(raw: str, value: str) -> list[int] | None:
    """A block scalar: its lines stand in the value as they are, without indentation, with ends between them."""
    lines = _lines(raw)[1:]
    contents = [(start, text) for start, text in lines if text.strip(_BLANKS)]
    if not contents or not value:
        return None
    first_start, first = contents[0]
    shown = value.lstrip("\n")
    indent = (len(first) - len(first.lstrip(" "))) - (len(shown) - len(shown.lstrip(" ")))
    found: list[int] = []
    position = len(value) - len(shown)
    found += [first_start] * position
    for place, (start, text) in enumerate(contents):
        content = text[indent:]
        if not value.startswith(content, position):
            return None
        found += range(start + indent, start + len(text))
        position += len(content)
        end = start + len(text)
        if place + 1 == len(contents):
            found += [end] * (len(value) - position)
            break
        following = contents[place + 1][1][indent:]
        gap = _gap(value, position, following)
        found += [end] * gap
        position += gap
    end = contents[-1][0] + len(contents[-1][1])
    return [*found, end] if len(found) == len(value) else None


def _gap(value: str, position: int, following: str) -> int:
    """How many characters of the value stand between two lines of content: a space, or line ends. Lines of blanks
    between them that are indented further than the text count as content of their own."""
    index = position
    while index < len(value) and value[index] in " \t\n" and not value.startswith(following, index):
        index += 1
    return index - position


def _lines(raw: str) -> list[tuple[int, str]]:
    """Start and text of each line."""
    found: list[tuple[int, str]] = []
    start = 0
    for end in _LINE_END.finditer(raw):
        found.append((start, raw[start : end.start()]))
        start = end.end()
    return [*found, (start, raw[start:])]


def place(raw: str, line: int, column: int, index: int) -> tuple[int, int]:
    """Line and column of an index into a scalar that begins at `line` and `column`."""
    ends = list(_LINE_END.finditer(raw, 0, index))
    return (line + len(ends), index - ends[-1].end() + 1) if ends else (line, column + index)
