"""Names that authors choose: of rules and tests (any text), of what expressions read (CEL identifiers), of commands and
targets (plain names)."""

from __future__ import annotations

import re
from typing import Final

from rules.cel.scan import KEYWORDS, RESERVED
from rules.diagnostics import shown
from rules.reading.reader import Reader
from rules.text.nodes import Node, Scalar

LONGEST: Final = 200
VARIABLES: Final = frozenset(("event", "key", "now", "row", "start", "tables"))
"""What expressions already read under these names, or will."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*", re.ASCII)


def title(reader: Reader, key: Scalar, what: str) -> str | None:
    """The name of a rule or test: one line of text."""
    if _fits(reader, key, what) and key.value.isprintable() and key.value == key.value.strip():
        return key.value
    if key.value.strip() and len(key.value) <= LONGEST:
        reader.error(key, "bad-name", f"the name of {what} is one line of text, without spaces around it")
    return None


def variable(reader: Reader, key: Scalar, what: str) -> str | None:
    """A name that expressions read: of a projection or a `let`."""
    name = field(reader, key, what)
    if name is None:
        return None
    if name in VARIABLES:
        reader.error(key, "bad-name", f"{what} cannot be named {shown(name)}: expressions have this name already")
        return None
    if name in RESERVED or name in KEYWORDS:
        reader.error(key, "bad-name", f"{what} cannot be named {shown(name)}: the word is reserved in expressions")
        return None
    return name


def field(reader: Reader, key: Scalar, what: str) -> str | None:
    """A name that expressions read behind a dot."""
    if not _fits(reader, key, what):
        return None
    if _IDENTIFIER.fullmatch(key.value):
        return key.value
    made = re.sub(r"[^A-Za-z0-9_]+", "_", key.value).strip("_")
    hint = f"write {shown(made)}" if _IDENTIFIER.fullmatch(made) else None
    message = f"{what} cannot be named {shown(key.value)}: letters, digits and `_` make a name"
    reader.error(key, "bad-name", message, hint)
    return None


def plain(reader: Reader, node: Node, what: str) -> str | None:
    """The name of a command or target."""
    name = reader.text(node, what)
    if name is None:
        return None
    if "${" in name:
        hint = "what differs from event to event belongs in `args`"
        reader.error(node, "bad-name", f"{what} is a plain name and holds no `${{…}}`", hint)
        return None
    if not _PLAIN.fullmatch(name) or len(name) > LONGEST:
        message = f"{what} cannot be {shown(name)}: letters, digits and `_ . : / -` make a name"
        reader.error(node, "bad-name", message)
        return None
    return name


def _fits(reader: Reader, key: Scalar, what: str) -> bool:
    if not key.value.strip():
        reader.error(key, "bad-name", f"the name of {what} is empty")
        return False
    if len(key.value) > LONGEST:
        reader.error(key, "bad-name", f"the name of {what} is longer than {LONGEST} characters")
        return False
    return True
