"""From text to tokens, with all limits that must hold before a grammar looks at them.

`rules.cel.parse` calls `scan` once per expression and hands the tokens to lark; `rules.cel.template` calls it to find
the brace that closes a `${`. One regular expression without ambiguity reads the text from left to right, so the cost is
linear for any text. Mistakes that a grammar would report badly (an open string, a single `=`) are reported here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rules.cel import limits
from rules.cel.errors import CelSyntaxError
from rules.cel.strings import unescape

TOKEN = re.compile(
    r"""
    (?P<skip>[\t\n\f\r\ ]++|//[^\n]*+)
  | (?P<string>[rR](?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"(?!"")[^"\n]*+"|'(?!'')[^'\n]*+')
              |\"\"\"(?:[^\\"]|\\[\s\S]|"(?!""))*+\"\"\"
              |'''(?:[^\\']|\\[\s\S]|'(?!''))*+'''
              |"(?!"")(?:[^"\\\n]|\\[^\n])*+"
              |'(?!'')(?:[^'\\\n]|\\[^\n])*+')
  | (?P<bytes>(?:[bB][rR]?|[rR][bB])["'])
  | (?P<unsigned>(?:0[xX][0-9a-fA-F]++|[0-9]++)[uU](?![A-Za-z0-9_]))
  | (?P<float>(?:[0-9]++\.[0-9]++(?:[eE][+-]?[0-9]++)?|[0-9]++[eE][+-]?[0-9]++|\.[0-9]++(?:[eE][+-]?[0-9]++)?)
             (?![A-Za-z0-9_]))
  | (?P<int>(?:0[xX][0-9a-fA-F]++|[0-9]++)(?![A-Za-z0-9_]))
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*+)
  | (?P<quoted>`[A-Za-z0-9_.\-/\ ]++`)
  | (?P<optional>\?\.(?=[A-Za-z_`])|\.\?|\[\?|\{\?)
  | (?P<wrong>===|!==|<>|\*\*|=>|:=)
  | (?P<symbol>\|\||&&|==|!=|<=|>=|[-<>+*/%!?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
SYMBOLS = {
    "||": "OR",
    "&&": "AND",
    "?": "QUESTION",
    ":": "COLON",
    "+": "PLUS",
    "-": "MINUS",
    "!": "NOT",
    ".": "DOT",
    ",": "COMMA",
    "(": "LPAR",
    ")": "RPAR",
    "[": "LSQB",
    "]": "RSQB",
    "{": "LBRACE",
    "}": "RBRACE",
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), "REL"),
    **dict.fromkeys("*/%", "MUL"),
}
KEYWORDS = {"true": "TRUE", "false": "FALSE", "null": "NULL", "in": "IN"}
RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var void while".split()
)
CLOSES = {")": "(", "]": "[", "}": "{"}
OPERAND_ENDS = frozenset("NAME FIELD INT FLOAT STRING TRUE FALSE NULL RPAR RSQB RBRACE".split())
# Each of these becomes at least one node, so more of them than nodes allowed need no parse to be refused.
NODE_TOKENS = frozenset("NAME FIELD INT FLOAT STRING TRUE FALSE NULL REL IN PLUS MINUS MUL NOT".split())
WRONG = {
    "===": "use `==` to compare",
    "!==": "use `!=` to compare",
    "<>": "use `!=` to compare",
    "**": "there is no power operator",
    "=>": "`>=` is greater or equal",
    ":=": "use `==` to compare",
}
STRAY = {
    "=": "use `==` to compare",
    "&": "use `&&`",
    "|": "use `||`",
    "#": "comments begin with `//`",
    ";": "one expression, without `;`",
    "$": "inside an expression names stand as they are, without `$`",
    "‘": "use straight quotes",
    "’": "use straight quotes",
    "“": "use straight quotes",
    "”": "use straight quotes",
    "≤": "use `<=`",
    "≥": "use `>=`",
    "≠": "use `!=`",
}


@dataclass(frozen=True, slots=True)
class Scanned:
    """A token: terminal of the grammar, its text (of a string: its value), and where it stands."""

    kind: str
    text: str
    start: int
    end: int


def scan(text: str, start: int = 0, stop: int | None = None, *, until_brace: bool = False) -> tuple[list[Scanned], int]:
    """The tokens of `text[start:stop]` and the offset where they end.

    With `until_brace`, the first `}` that closes nothing ends them; without one, that offset is -1.
    """
    stop = len(text) if stop is None else stop
    tokens: list[Scanned] = []
    brackets: list[tuple[str, int]] = []
    nodes = 0
    position = start
    previous = before = ""
    while position < stop:
        if position - start > limits.MAX_TEXT:
            break
        found = TOKEN.match(text, position, stop)
        if found is None or found.lastgroup is None:
            raise _unreadable(text, position)
        group, word, position = found.lastgroup, found.group(), found.end()
        if group == "skip":
            continue
        if until_brace and word == "}" and not brackets:
            return tokens, found.start()
        kind = _kind(group, word, previous, before, text, found.start())
        if word in ("(", "[", "{") and kind in ("LPAR", "LSQB", "LBRACE"):
            brackets.append((word, found.start()))
            if len(brackets) > limits.MAX_NESTING:
                raise CelSyntaxError(
                    f"brackets are nested deeper than {limits.MAX_NESTING}", text, found.start(), position
                )
        elif kind in ("RPAR", "RSQB", "RBRACE"):
            _close(brackets, word, text, found.start())
        nodes += kind in NODE_TOKENS
        if nodes > limits.MAX_NODES or len(tokens) >= limits.MAX_TOKENS:
            raise CelSyntaxError(
                f"the expression has more than {limits.MAX_NODES} parts",
                text,
                found.start(),
                position,
                "split it with `let`",
            )
        if kind == "STRING":
            word = unescape(word, text, found.start())
        tokens.append(Scanned(kind, word, found.start(), position))
        previous, before = kind, previous
    if position - start > limits.MAX_TEXT:
        raise CelSyntaxError(
            f"the expression is longer than {limits.MAX_TEXT} characters",
            text,
            start + limits.MAX_TEXT,
            stop,
            "split it with `let`",
        )
    if until_brace:
        return tokens, -1
    if brackets:
        word, offset = brackets[-1]
        raise CelSyntaxError(f"`{word}` is not closed", text, offset, offset + 1)
    return tokens, stop


def _kind(group: str, word: str, previous: str, before: str, text: str, offset: int) -> str:
    end = offset + len(word)
    if previous == "DOT" and before in OPERAND_ENDS and group in ("word", "quoted"):
        return "FIELD"
    if group == "symbol":
        return SYMBOLS[word]
    if group == "word":
        if word in KEYWORDS and previous != "DOT":
            return KEYWORDS[word]
        if word in RESERVED or word in KEYWORDS:
            raise CelSyntaxError(
                f"`{word}` is a reserved word", text, offset, end, "reserved words may only be fields, after a dot"
            )
        return "NAME"
    if group in ("int", "float", "string"):
        return group.upper()
    if group == "bytes":
        raise CelSyntaxError("bytes are not in the profile", text, offset, end, "use a string")
    if group == "unsigned":
        raise CelSyntaxError(
            "unsigned numbers are not in the profile", text, offset, end, f"write `{word[:-1]}`: there is one number"
        )
    if group == "optional":
        raise CelSyntaxError(
            f"optional syntax `{word}` is not in the profile", text, offset, end, "use has(…) and `? :`"
        )
    if group == "quoted":
        raise CelSyntaxError("only a field may stand in back-quotes", text, offset, end, "a string needs `'` or `\"`")
    raise CelSyntaxError(f"unexpected `{word}`", text, offset, end, WRONG[word])


def _close(brackets: list[tuple[str, int]], word: str, text: str, offset: int) -> None:
    if not brackets:
        raise CelSyntaxError(f"`{word}` closes nothing", text, offset, offset + 1)
    opening, at = brackets.pop()
    if opening != CLOSES[word]:
        raise CelSyntaxError(f"`{word}` does not close `{opening}`", text, offset, offset + 1, _opened(text, at))


def _opened(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"it was opened at {line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1}"


def _unreadable(text: str, offset: int) -> CelSyntaxError:
    character = text[offset]
    if character in "'\"" or (character in "rR" and text[offset + 1 : offset + 2] in ("'", '"')):
        quote = character if character in "'\"" else text[offset + 1]
        return CelSyntaxError("the string is not closed", text, offset, offset + 1, f"it needs a `{quote}` at its end")
    if character == "`":
        return CelSyntaxError("unexpected `` ` ``", text, offset, offset + 1, "a string needs `'` or `\"`")
    if character.isdigit() and character.isascii():
        return CelSyntaxError("a name cannot begin with a digit", text, offset, offset + 1)
    shown = f"`{character}`" if character.isprintable() and character != "\\" else f"character U+{ord(character):04X}"
    return CelSyntaxError(f"unexpected {shown}", text, offset, offset + 1, STRAY.get(character))
