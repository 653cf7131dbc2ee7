"""From text to a syntax tree.

`parse` is what everybody calls: it scans (limits, hints), lets lark's LALR parser apply `grammar.lark`, and checks what
a grammar cannot say: the shape of macros, known functions, the size of numbers, how deep comprehensions nest. It raises
`CelSyntaxError` and nothing else, whatever the text. The parser's tables are built once, at the first use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from rules.cel import limits
from rules.cel.build import MACROS, Builder, ShapeError
from rules.cel.errors import CelSyntaxError
from rules.cel.functions import FUNCTIONS, METHODS
from rules.cel.nodes import Call, Comprehension, Literal, Name, Node, children
from rules.cel.scan import Scanned, scan

WORD_OPERATORS = {"and": "use `&&`", "or": "use `||`", "not": "use `!`", "is": "use `==` to compare"}
NOT_IN_PROFILE = frozenset(
    "type bytes uint format join split replace substring trim "
    "lowerAscii upperAscii charAt indexOf lastIndexOf quote reverse optMap orValue transformList transformMap "
    "sortBy distinct flatten slice range".split()
)


NAMESPACES = frozenset("optional proto cel math strings base64 sets lists regex".split())


def parse(text: str, functions: Iterable[str] = (), *, start: int = 0, stop: int | None = None) -> Node:
    """The tree of `text[start:stop]`, with offsets into the whole `text`.

    `functions` are names of further functions that may be called with any arguments; a caller that allows some gives
    them types in `check` and a meaning in its `Scope`. Raises `CelSyntaxError`.
    """
    text = exactly(text, "an expression")
    stop = len(text) if stop is None else stop
    tokens, _ = scan(text, start, stop)
    return build(text, tokens, start, stop, frozenset(functions))


def build(text: str, tokens: list[Scanned], start: int, stop: int, functions: frozenset[str] = frozenset()) -> Node:
    """The tree of the tokens that `scan` made of `text[start:stop]`."""
    if not tokens:
        raise CelSyntaxError("the expression is empty", text, start, stop)
    try:
        node: Node = _parser().parse(tokens)  # type: ignore[assignment]
    except UnexpectedToken as error:
        raise _unexpected(text, tokens, stop, error.token) from None
    except ShapeError as error:
        raise CelSyntaxError(error.message, text, error.start, error.end, error.hint) from None
    _verify(node, text, functions)
    return node


def exactly(text: object, what: str) -> str:
    """The text without what a subclass could make of its methods. Raises `CelSyntaxError` for what is no text."""
    if not issubclass(type(text), str):
        raise CelSyntaxError(f"{what} is text, not {type(text).__name__}")
    return str.__getitem__(text, slice(None))  # type: ignore[index]


class _Tokens(Lexer):
    """Hands lark what `scan` has already read."""

    __future_interface__ = 2

    def __init__(self, _configuration: Any) -> None:
        pass

    def lex(self, lexer_state: Any, _parser_state: Any) -> Iterator[Token]:
        for token in lexer_state.text:
            yield Token(token.kind, token.text, token.start, end_pos=token.end)


@cache
def _parser() -> Lark:
    grammar = files("rules.cel").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", lexer=_Tokens, transformer=Builder(), maybe_placeholders=False)


def _unexpected(text: str, tokens: list[Scanned], stop: int, token: Token) -> CelSyntaxError:
    if token.type == "$END":
        return CelSyntaxError("the expression ends too early", text, stop, stop, _dangling(tokens[-1]))
    index = next(index for index, known in enumerate(tokens) if known.start == token.start_pos)
    previous = tokens[index - 1] if index else None
    found = tokens[index]
    hint = WORD_OPERATORS.get(found.text) if found.kind == "NAME" else None
    if hint is None and previous is not None and previous.kind == "NAME":
        hint = WORD_OPERATORS.get(previous.text)
    if hint is None and found.kind == "LBRACE" and previous is not None and previous.kind in ("NAME", "FIELD"):
        hint = "messages `Name{…}` are not in the profile"
    if hint is None and found.kind == "NOT" and tokens[index + 1 : index + 2] and tokens[index + 1].kind == "IN":
        hint = "write `!(x in list)`"
    shown = text[found.start : found.end]
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    return CelSyntaxError(f"unexpected `{shown}`", text, found.start, found.end, hint)


def _dangling(last: Scanned) -> str:
    return (
        f"something must follow `{last.text}`"
        if last.kind not in ("STRING", "NAME", "FIELD")
        else "something is missing"
    )


def _verify(node: Node, text: str, functions: frozenset[str]) -> None:
    """What the grammar cannot say. One walk, with the number of comprehensions around each node."""
    count = 0
    stack = [(node, 0)]
    while stack:
        node, nested = stack.pop()
        count += 1
        if count > limits.MAX_NODES:
            hint = "split it with `let`"
            raise CelSyntaxError(
                f"the expression has more than {limits.MAX_NODES} parts", text, node.start, node.end, hint
            )
        inner = nested
        match node:
            case Literal(value=int() as value) if not -(2**63) <= value < 2**63:
                hint = "write it with an exponent if it may be rounded"
                raise CelSyntaxError("the number does not fit in 64 bits", text, node.start, node.end, hint)
            case Call():
                _verify_call(node, text, functions)
            case Comprehension():
                inner = nested + 1
                if inner > limits.MAX_COMPREHENSIONS:
                    raise CelSyntaxError(
                        f"`{node.macro}` is nested deeper than {limits.MAX_COMPREHENSIONS}", text, node.start, node.end
                    )
                stack.append((node.operand, nested))
                stack.extend((child, inner) for child in children(node)[1:])
                continue
            case _:
                pass
        stack.extend((child, inner) for child in children(node))


def _verify_call(call: Call, text: str, functions: frozenset[str]) -> None:
    name, given = call.function, len(call.arguments)
    where = text, call.name_start, call.name_start + len(name)
    if call.target is None and name in functions:
        return
    known = FUNCTIONS if call.target is None else METHODS
    if name in known:
        function = known[name]
        most = len(function.parameters) - (call.target is not None)
        least = most - function.optional
        if least <= given <= most:
            return
        wanted = f"{most}" if least == most else f"{least} or {most}"
        raise CelSyntaxError(f"`{name}` takes {wanted} argument{'s' * (wanted != '1')}, not {given}", *where)
    if name in MACROS and call.target is not None:
        raise CelSyntaxError(f"`{name}` takes a name and an expression", *where, f"write `list.{name}(x, …)`")
    if name in MACROS:
        raise CelSyntaxError(f"`{name}` is called on a list or map", *where, f"write `list.{name}(x, …)`")
    if name in FUNCTIONS or name == "has":
        raise CelSyntaxError(f"`{name}` is not called on a value", *where, f"write `{name}(…)`")
    if name in METHODS:
        raise CelSyntaxError(f"`{name}` is called on a value", *where, f"write `x.{name}(…)`")
    if name in NOT_IN_PROFILE or (isinstance(call.target, Name) and call.target.name in NAMESPACES):
        raise CelSyntaxError(f"`{name}` is not in the profile", *where)
    names = [*known, *(functions if call.target is None else ()), *(("has",) if call.target is None else MACROS)]
    close = get_close_matches(name, names, 1, 0.6)
    raise CelSyntaxError(f"unknown function `{name}`", *where, f"did you mean `{close[0]}`?" if close else None)
