"""CEL string literals to text. CEL's escapes are its own and not Python's.

Called by `rules.cel.scan` for every string token, when it has found where the literal ends.
"""

from __future__ import annotations

import re

from rules.cel.errors import CelSyntaxError

ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|([0-3][0-7]{2})|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))"
)
NAMED = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


def unescape(literal: str, text: str, start: int) -> str:
    """The value of `literal`, which stands at `start` of `text`."""
    raw = literal[0] in "rR"
    quoted = literal[1:] if raw else literal
    quotes = 3 if quoted[:3] in ('"""', "'''") else 1
    body = quoted[quotes:-quotes]
    if raw or "\\" not in body:
        return body
    origin = start + quotes

    def character(found: re.Match[str]) -> str:
        named, octal, byte, short, long, unknown = found.groups()
        where = origin + found.start(), origin + found.end()
        if unknown is not None:
            raise CelSyntaxError(
                f"unknown escape `{found.group()}`", text, *where, "a backslash itself is `\\\\`; or use r'…'"
            )
        if named is not None:
            return NAMED.get(named, named)
        point = int(octal, 8) if octal else int(byte or short or long, 16)
        if 0xD800 <= point < 0xE000 or point > 0x10FFFF:
            raise CelSyntaxError(f"escape `{found.group()}` is not a character", text, *where)
        return chr(point)

    return ESCAPE.sub(character, body)
