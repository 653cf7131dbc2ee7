"""Event types in rules: exact ones, and the patterns `payment.*` and `*`.

Types that begin with `orchestrator.` are the system's own: rules may listen to the results of commands, named in full,
and to nothing else of them.
"""

from __future__ import annotations

import re
from typing import Final

from rules.diagnostics import did_you_mean, one_of, shown
from rules.given import RESULTS
from rules.model.source import Span
from rules.reading.reader import Reader
from rules.text.nodes import Node, Scalar, Sequence
from streams.event import RESERVED

LONGEST: Final = 200
COMMAND: Final = f"{RESERVED}command."

_SEVERAL: Final = re.compile(r"\s*,\s*|\s+")


def patterns(reader: Reader, node: Node, what: str) -> tuple[tuple[str, ...], tuple[Span, ...]] | None:
    """A type, a pattern, or a list of them, each with its place."""
    nodes = node.items if isinstance(node, Sequence) else [node]
    if not nodes:
        reader.error(node, "wrong-kind", f"{what} names no event type", "every business event is `'*'`")
        return None
    found: dict[str, Span] = {}
    before = reader.findings.errors
    for each in nodes:
        type = _type(reader, each, what)
        if type is None:
            continue
        if type in found:
            reader.warn(each, "twice", f"{shown(type)} stands twice in {what}")
        if type.startswith(RESERVED) and type not in RESULTS:
            _refuse_reserved(reader, each, type)
        elif "*" in type and type != "*" and (not type.endswith(".*") or type.count("*") > 1):
            hint = "only `*` alone and `*` after the last dot are patterns, as in `payment.*`"
            reader.error(each, "bad-type", f"{shown(type)} is no pattern", hint)
        found.setdefault(type, reader.span(each))
    return (tuple(found), tuple(found.values())) if reader.findings.errors == before else None


def overlap(one: str, other: str) -> bool:
    """Whether an event can be of both, each a type or a pattern."""
    return one == other or _covers(one, other) or _covers(other, one)


def _covers(pattern: str, type: str) -> bool:
    if type.startswith(RESERVED):
        return False
    return pattern == "*" or (pattern.endswith(".*") and type.startswith(pattern[:-1]))


def exact(reader: Reader, node: Node, what: str, *, results: bool = True) -> str | None:
    """A type that is no pattern; one of the results of commands only where `results` allows it."""
    type = _type(reader, node, what)
    if type is None:
        return None
    if "*" in type:
        reader.error(node, "bad-type", f"{what} needs an exact type: {shown(type)} is a pattern")
        return None
    if type.startswith(RESERVED) and not results:
        message = f"{what} cannot be {shown(type)}: types that begin with `{RESERVED}` are the system's own"
        reader.error(node, "bad-type", message)
        return None
    if type.startswith(RESERVED) and type not in RESULTS:
        _refuse_reserved(reader, node, type)
        return None
    return type


def _type(reader: Reader, node: Node, what: str) -> str | None:
    type = reader.text(node, what)
    if type is None:
        return None
    if "${" in type:
        reader.error(node, "bad-type", f"{what} is a plain event type and holds no `${{…}}`")
        return None
    if not type.isprintable() or any(character.isspace() or character == "," for character in type):
        parts = [part for part in _SEVERAL.split(type) if part]
        hint = "several types are a list: " + shown(f"[{', '.join(parts)}]") if len(parts) > 1 else None
        reader.error(node, "bad-type", f"an event type holds no space and no comma: {shown(type)}", hint)
        return None
    if len(type) > LONGEST:
        reader.error(node, "bad-type", f"an event type is no longer than {LONGEST} characters")
        return None
    if isinstance(node, Scalar) and (type.startswith(".") or ".." in type or type.endswith(".")):
        reader.error(node, "bad-type", f"{shown(type)} is no event type: something is missing beside a dot")
        return None
    return type


def _refuse_reserved(reader: Reader, node: Node, type: str) -> None:
    if type.endswith("*"):
        hint = f"name the results that you mean: {one_of([RESULTS[0], RESULTS[1]])}"
        reader.error(node, "bad-type", f"patterns never match `{RESERVED}…`", hint)
        return
    near = did_you_mean(type, RESULTS) if type.startswith(COMMAND) else None
    hint = near or f"rules may react to {one_of(RESULTS)}"
    reader.error(node, "bad-type", f"{shown(type)} is the system's own, and not for rules", hint)
