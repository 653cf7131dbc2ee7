"""Names that a Python rule gives: event types, commands and targets, as rule files have them (`rules.reading`)."""

from __future__ import annotations

import re
from typing import Any, Final

from rules.given import RESULTS
from streams.event import RESERVED

LONGEST: Final = 200
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*", re.ASCII)


def wrong_type(type: Any, *, listening: bool) -> str | None:
    """What is wrong with an event type, None if nothing is. Who listens may name patterns and the results of commands;
    who emits may not."""
    if not isinstance(type, str) or not type:
        return "an event type is a text"
    if not type.isprintable() or any(character.isspace() or character == "," for character in type):
        return "an event type holds no space and no comma"
    if len(type) > LONGEST:
        return f"an event type is no longer than {LONGEST} characters"
    if type.startswith(".") or ".." in type or type.endswith("."):
        return "something is missing beside a dot"
    if type.startswith(RESERVED) and not (listening and type in RESULTS):
        return f"types that begin with `{RESERVED}` are the system's own"
    if "*" not in type:
        return None
    if not listening:
        return "an emitted event has an exact type"
    if type != "*" and (not type.endswith(".*") or type.count("*") > 1):
        return "only `*` alone and `*` after the last dot are patterns, as in `payment.*`"
    return None


def plain(name: Any) -> bool:
    """Whether it can be the name of a command or target."""
    return isinstance(name, str) and len(name) <= LONGEST and _PLAIN.fullmatch(name) is not None
