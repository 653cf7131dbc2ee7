"""One cell of a decision table: `-`, a comparison without its left side, `in […]`, a range, or a literal.

Cells compare with constants alone, so that a table can be indexed and its gaps be found; what is written in other
languages of tables (`= 5`, `5..9`, `not('a')`, `'a', 'b'`) is refused with the way it is written here.
"""

from __future__ import annotations

import re
from typing import Final

from rules import cel
from rules.cel import limits, nodes, values
from rules.cel.check import check_constants
from rules.cel.emitter import folded
from rules.cel.numbers import normal
from rules.diagnostics import shown
from rules.model.source import Span
from rules.model.table import Cell, CellConstant, CellOperator
from rules.pointing import locate_in, point
from rules.reading.reader import Reader
from rules.text.nodes import Node, Scalar, Sequence, kind
from rules.text.scalars import NoValue, resolve

_COMPARISON: Final = re.compile(r"\s*(==|!=|<=|>=|<|>)(?![=<>])")
_IN: Final = re.compile(r"\s*in\b")
_RANGE: Final = re.compile(r"\s*([\[(])(.*)([\])])\s*", re.DOTALL)
_SIMPLE: Final = re.compile(r"\s*(?:(-?(?:0|[1-9][0-9]{0,17}))|'([^'\\\n\r]*)')\s*", re.ASCII)
"""Most constants: whole numbers and plain strings, which need no parser."""
_CALLED_ANYTHING: Final = ("*", "any", "ANY", "else", "otherwise", "_")
_LONGEST_HABIT: Final = 100
_LEGAL: Final = "a cell is `-`, a constant, a comparison such as `>= 10`, `in [1, 2]`, or a range such as `[1..10)`"
_ORDERED: Final = (values.NUMBER, values.STRING, values.BOOL, values.TIMESTAMP, values.DURATION)


class _Wrong(Exception):
    """What is wrong from one character of the text to another, and what to write instead: for `sure`, or where nothing
    better is known."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None, *, sure: bool = False) -> None:
        super().__init__(message)
        self.error = message, start, end, hint
        self.sure = sure


def cell(reader: Reader, node: Node) -> Cell | None:
    if not isinstance(node, Scalar):
        raw = reader.source.text[node.start : node.end]
        said = f": {shown(chr(34) + raw + chr(34))}" if len(raw) < 50 and "\n" not in raw and '"' not in raw else ""
        hint = f"text that begins with {shown(raw[:1])} must be quoted{said}" if isinstance(node, Sequence) else None
        reader.error(node, "bad-cell", f"a cell is text, a number or a boolean, and YAML reads {kind(node)} here", hint)
        return None
    try:
        value = resolve(node)
    except NoValue as error:
        reader.error(node, "bad-cell", f"a cell: {error}")
        return None
    if value is None and node.value != "null":
        hint = "null is written `null`" if node.value == "~" else "`-` takes anything"
        reader.error(node, "bad-cell", "the cell is empty" if node.value == "" else "`~` is no cell", hint)
        return None
    if not isinstance(value, str):
        constant = value if value is None or isinstance(value, bool) else normal(value)
        return Cell("==", (constant,), node.value, reader.span(node))
    try:
        operator, operands, includes = _read(value)
    except _Wrong as wrong:
        _complain(reader, node, value, wrong)
        return None
    except cel.CelSyntaxError as error:
        _complain(reader, node, value, _Wrong(error.message, error.offset, error.end, error.hint or _LEGAL))
        return None
    return Cell(operator, operands, value.strip(), reader.span(node), includes)


def _complain(reader: Reader, node: Scalar, value: str, wrong: _Wrong) -> None:
    message, start, end, hint = wrong.error
    error = cel.CelSyntaxError(message, value, start, end, hint if wrong.sure else _yaml_hint(node) or hint)
    written, span = reader.written(node), reader.span(node)
    if written.style in ("single", "double"):
        span = Span(span.file, span.line, span.column + 1)
    elif written.style != "plain":
        span = locate_in(written, span, value, 0)
    reader.findings.add(point(error, written, span, value, reader.line_of, "bad-cell"))


def _yaml_hint(node: Scalar) -> str | None:
    """Whether YAML has taken away the quotes that should make the text a string."""
    if node.style not in ("single", "double") or not re.fullmatch(r"[\w][\w .:/@-]*", node.value):
        return None
    quoted = f"\"'{node.value}'\""
    return f"YAML took these quotes away: if a string is meant, write {shown(quoted, 110)}"


_Read = tuple[CellOperator, tuple[CellConstant, ...], tuple[bool, bool]]


def _read(text: str) -> _Read:
    both = (True, True)
    if len(text) > limits.MAX_TEXT:
        raise _Wrong(f"the cell is longer than {limits.MAX_TEXT:,} characters", 0, 1)
    if text.strip() == "-":
        return "-", (), both
    compared = _COMPARISON.match(text)
    if compared is not None:
        operator: CellOperator = compared[1]  # type: ignore[assignment]
        constant = _constant(text, compared.end(), len(text))
        if operator not in ("==", "!="):
            _ordered(text, compared.end(), len(text), constant)
        return operator, (constant,), both
    listed = _IN.match(text)
    if listed is not None:
        return "in", _list(text, listed.end()), both
    ranged = _range(text, 0)
    if ranged is not None:
        brackets, dots = ranged
        return "range", _bounds(text, brackets, dots), (brackets[1] == "[", brackets[3] == "]")
    _foreign(text)
    return "==", (_constant(text, 0, len(text)),), both


def _foreign(text: str) -> None:
    """What other languages of tables write."""
    bare = text.strip()
    if not bare:
        raise _Wrong("the cell is empty", 0, len(text), "`-` takes anything")
    hint = None
    if len(bare) > _LONGEST_HABIT:
        return
    if bare in _CALLED_ANYTHING:
        hint = "`-` takes anything"
    elif bare.startswith("=>"):
        hint = f"write {shown('>=' + bare[2:])}"
    elif bare.startswith("=<"):
        hint = f"write {shown('<=' + bare[2:])}"
    elif bare.startswith("="):
        hint = f"write {shown(bare[1:].strip())}, or {shown('== ' + bare[1:].strip())}"
    elif bare.startswith("<>"):
        hint = f"write {shown('!=' + bare[2:])}"
    elif bare.startswith("!"):
        hint = "`!= x` is everything but x"
    elif re.match(r"not\b", bare):
        hint = "write `!= x`, or a row before this one for what is not meant"
    elif re.fullmatch(r"[^'\"\[(]+\.\.[^'\"\])]*", bare):
        hint = (
            f"a range has brackets: {shown('[' + bare + ']')} includes its bounds, {shown('(' + bare + ')')} does not"
        )
    elif re.fullmatch(r"('[^']*'|[0-9.-]+)(\s*,\s*('[^']*'|[0-9.-]+))+", bare):
        hint = f"write {shown('in [' + bare + ']')}"
    elif bare.startswith("["):
        hint = f"write {shown('in ' + bare)}, or a range such as `[1..10)`"
    if hint is not None:
        start = text.index(bare)
        raise _Wrong(f"{shown(bare)} is no cell", start, start + len(bare), hint, sure=True)


def _list(text: str, start: int) -> tuple[CellConstant, ...]:
    if _range(text, start) is not None:
        raise _Wrong("a range stands alone", start, len(text), f"write {shown(text[start:].strip())}")
    if text[start:].lstrip()[:1] == "(":
        raise _Wrong("`in` needs a list", start, len(text), "lists have square brackets: `in [1, 2]`")
    node = cel.parse(text, start=start)
    if not isinstance(node, nodes.ListLiteral):
        raise _Wrong("`in` needs a list of constants", node.start, node.end, "such as `in ['a', 'b']`")
    if not node.items:
        raise _Wrong("nothing is in an empty list", node.start, node.end, "a row that can never fit can go")
    return tuple(_value(text, item) for item in node.items)


def _range(text: str, start: int) -> tuple[re.Match[str], int] | None:
    """A text in brackets, and where in it, but in no string, the first `..` stands."""
    brackets = _RANGE.fullmatch(text, start)
    quote = ""
    for place in range(*brackets.span(2)) if brackets is not None else ():
        sign = text[place]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif brackets is not None and text.startswith("..", place):
            return brackets, place
    return None


def _bounds(text: str, brackets: re.Match[str], dots: int) -> tuple[CellConstant, CellConstant]:
    start, end = brackets.span(2)
    whole = brackets.start(1), brackets.end(3)
    if not text[start:dots].strip() or not text[dots + 2 : end].strip():
        raise _Wrong("a range has two bounds", *whole, "without one of them it is a comparison, such as `>= 1`")
    low, high = _constant(text, start, dots), _constant(text, dots + 2, end)
    of = _ordered(text, start, dots, low)
    if _ordered(text, dots + 2, end, high) is not of:
        raise _Wrong(f"the bounds of a range are of one kind, not {of} and {values.kind(high)}", *whole)
    if low > high or (low == high and brackets[1] + brackets[3] != "[]"):  # type: ignore[operator]
        raise _Wrong("nothing is in this range", *whole, "the lower bound comes first")
    return low, high


def _ordered(text: str, start: int, end: int, constant: CellConstant) -> str:
    of = values.kind(constant)
    if of not in _ORDERED:
        raise _Wrong(f"{of} is neither less nor more than anything", start, end)
    return of


def _constant(text: str, start: int, end: int) -> CellConstant:
    simple = _SIMPLE.fullmatch(text, start, end)
    if simple is not None:
        return int(simple[1]) if simple[1] is not None else simple[2]
    return _value(text, cel.parse(text, start=start, stop=end))


def _value(text: str, node: cel.Node) -> CellConstant:
    if isinstance(node, nodes.Literal):
        return node.value
    check_constants(node, text)
    made = folded(node)
    if made is not None:
        return made  # type: ignore[return-value]
    hint = "what is compared with something else can be an input of its own, whose cells are `true` and `false`"
    if isinstance(node, nodes.Name):
        quoted = f"'{node.name}'"
        hint = f"if a string is meant, write {shown(quoted if node.start else chr(34) + quoted + chr(34))}"
    elif isinstance(node, nodes.Logic):
        hint = "a range such as `[1..10)` has two bounds; `in [1, 2]` is one of several; more rows can say the rest"
    elif any(isinstance(each, nodes.Name) for each in cel.walk(node)) and isinstance(node, nodes.Binary):
        hint = f"a cell is compared with its input, and does not name it; {hint}"
    what = shown(text[node.start : node.end])
    raise _Wrong(f"{what} is no constant, and cells compare with constants", node.start, node.end, hint)
