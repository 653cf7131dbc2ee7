"""What people do wrong in YAML, said in their words.

libyaml says where it stopped and what it wanted; the reason is often that a text should have been quoted, because YAML
gives a meaning of its own to how it begins (`[ { > | & * ! % @`) or to what it holds (`: `, ` #`). `explain` turns its
errors into diagnostics that say so.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from rules.diagnostics import Diagnostic, shown
from rules.text.source import Source

QUOTE: Final = "quote this"
_INDENTED: Final = "is the line indented like its neighbours?"
_VALUE: Final = re.compile(r"\s*(?:- +)*(?:[^\s:{\[][^:]*?:\s+)?(.*)")
_COMMENT: Final = re.compile(r"\s#.*$")
_FLOW: Final = "inside `{…}` and `[…]`, text that holds one of `{ } [ ] ,` or `: ` must be quoted"

# What libyaml says → (what we say, hint). Those that need a look at the text are in `explain`.
_SAID: Final[dict[str, tuple[str, str | None]]] = {
    "found unknown escape character": (
        "YAML knows no such escape",
        "in single quotes a backslash is itself",
    ),
    "found invalid Unicode character escape code": ("this escape is no character", "write the character itself"),
    "did not find expected hexdecimal number": ("the escape needs hexadecimal digits", None),
    "block sequence entries are not allowed in this context": (
        "a list item cannot begin here",
        "put `- ` on a line of its own",
    ),
    "did not find expected '-' indicator": ("expected `- `, for another item of the list", _INDENTED),
    "could not find expected ':'": ("expected `:` after a key", _INDENTED),
    "mapping keys are not allowed in this context": ("a key cannot begin here", _INDENTED),
    "did not find expected node content": ("a value is missing here", f"if it is text, {QUOTE}"),
    "did not find expected <document start>": ("nothing can follow the end of the document", _INDENTED),
    "found unknown directive name": ("directives are not read", "text that begins with `%` must be quoted"),
    "found incompatible YAML document": ("rule files are YAML 1.2", "leave the `%YAML` line out"),
    "found unexpected document indicator": ("the quote is not closed", None),
    "found invalid tag URI": ("YAML reads this as a tag, because it begins with `!`", QUOTE),
}


def quote_this(source: Source, line: int, column: int) -> str:
    """The hint to quote the value that begins there, with how that looks, if it is all that stands on the line."""
    text = source.line(line)
    before, rest = text[: column - 1], text[column - 1 :]
    rest = _COMMENT.sub("", rest).rstrip()
    alone = rest and not any(sign in before for sign in "{[")
    if not alone or len(rest) > 50:
        return QUOTE
    quoted = f'"{rest}"' if '"' not in rest and "\\" not in rest else "'" + rest.replace("'", "''") + "'"
    return f"{QUOTE}: {shown(quoted, 110)}"


def explain(source: Source, error: yaml.MarkedYAMLError) -> Diagnostic:
    problem = (error.problem or "it is not YAML").strip()
    context = error.context or ""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    opened = error.context_mark
    start = None if opened is None else (opened.line + 1, opened.column + 1)

    def found(message: str, hint: str | None, at: tuple[int, int] = (line, column)) -> Diagnostic:
        return Diagnostic("error", "yaml", message, source.name, *at, at[1] + 1, hint, source.line(at[0]))

    if start is not None:
        first = source.line(start[0])[start[1] - 1 : start[1]]
        if context in ("while scanning an alias", "while scanning an anchor"):
            what = "an alias" if first == "*" else "an anchor"
            message = f"YAML reads this as {what}, because it begins with {shown(first)}"
            return found(message, quote_this(source, *start), start)
        if context == "while scanning a tag" or context == "while parsing a tag":
            return found(_SAID["found invalid tag URI"][0], quote_this(source, *start), start)
        if context == "while scanning a block scalar" and line == start[0]:
            message = f"YAML reads {shown(first)} as the beginning of a text of several lines"
            return found(message, quote_this(source, *start), start)
        if problem == "found unexpected end of stream":
            return found("the quote is not closed", f"it needs a {shown(first)} at its end", start)
        if problem in ("did not find expected ',' or '}'", "did not find expected ',' or ']'"):
            ended = not source.line(line)[column - 1 :].strip() and line >= len(source.lines)
            if ended:
                return found(f"{shown(first)} is not closed", None, start)
            return found(f"expected `,` or `{problem[-2]}`", _FLOW)
    if problem == "found character that cannot start any token":
        return _cannot_begin(source, line, column)
    if problem == "mapping values are not allowed in this context":
        return _second_colon(source, line, column)
    if problem == "did not find expected key":
        return _no_key(source, line, column)
    message, hint = _SAID.get(problem, (f"YAML: {problem.rstrip('.')}", None))
    return found(message, hint)


def _cannot_begin(source: Source, line: int, column: int) -> Diagnostic:
    text = source.line(line)
    character = text[column - 1 : column]
    place = (source.name, line, column, column + 1)
    if character == "\t":
        return Diagnostic("error", "yaml", "a tab cannot indent a line", *place, "use spaces", text)
    message = f"YAML lets no text begin with {'a back-quote' if character == '`' else shown(character)}"
    return Diagnostic("error", "yaml", message, *place, quote_this(source, line, column), text)


def _second_colon(source: Source, line: int, column: int) -> Diagnostic:
    """`: ` within a text, or a key that is indented wrongly."""
    text = source.line(line)
    place = (source.name, line, column, column + 1)
    value = _VALUE.match(text)
    if value is not None and 0 < value.start(1) < column - 1:
        hint = quote_this(source, line, value.start(1) + 1)
        return Diagnostic("error", "yaml", "the text holds `: `, which YAML reads as another key", *place, hint, text)
    return Diagnostic("error", "yaml", "a key cannot begin here", *place, _INDENTED, text)


def _no_key(source: Source, line: int, column: int) -> Diagnostic:
    """Something follows a quote or bracket that ended the value, or a line is indented wrongly."""
    text = source.line(line)
    place = (source.name, line, column, column + 1)
    if text[: column - 1].rstrip()[-1:] in ("'", '"', "]", "}"):
        value = _VALUE.match(text)
        hint = QUOTE if value is None else quote_this_whole(value.group(1))
        message = "the value has ended before this"
        return Diagnostic("error", "yaml", message, *place, hint, text)
    return Diagnostic("error", "yaml", "expected a key here", *place, _INDENTED, text)


def quote_this_whole(rest: str) -> str:
    rest = _COMMENT.sub("", rest).strip()
    if not rest or len(rest) > 50:
        return "quote the whole text"
    quoted = f'"{rest}"' if '"' not in rest and "\\" not in rest else "'" + rest.replace("'", "''") + "'"
    return f"quote the whole text: {shown(quoted, 110)}"
