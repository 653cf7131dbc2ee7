"""What may not stand in a file of Python rules, because a replay could not repeat it: found in its syntax tree.

A guard against mistakes, no sandbox: whoever wants to can get around it. A file imports only modules that are part of
Python and do nothing but compute, for its hash covers its own text alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, NamedTuple

from rules.python.shared import changed

PURE: Final = frozenset(
    (
        "__future__ base64 bisect cmath collections copy dataclasses datetime decimal difflib enum fractions functools "
        "hashlib heapq html itertools json math numbers operator re statistics string textwrap types typing "
        "unicodedata zlib zoneinfo"
    ).split()
)
OURS: Final = "rules.python"

_CLOCK: Final = "the time is `now`, and that of the event `event.time`"
_CHANCE: Final = "what has to differ from event to event can be made of `event.id`: `hashlib.sha256(event.id.encode())`"
_IO: Final = "a rule reads only `event` and `state`, and acts through what it returns"
_TEACHES: Final = {
    "time": _CLOCK,
    "calendar": _CLOCK,
    "random": _CHANCE,
    "secrets": _CHANCE,
    "uuid": _CHANCE,
    "asyncio": "a rule waits for nothing; what happens later is a rule with `after`",
    "threading": "a rule runs alone, and what is kept from event to event is `state`",
    "logging": "what people should see is an `Alert`",
}
_CALLS: Final = {
    "open": _IO,
    "input": _IO,
    "print": "what people should see is an `Alert`",
    "hash": "it differs from process to process; `hashlib` does not",
    "id": "it differs from process to process; an event's is `event.id`",
    "exec": _IO,
    "eval": _IO,
    "compile": _IO,
    "__import__": _IO,
    "breakpoint": _IO,
    "globals": "what is kept from event to event is `state`",
}
_FORGOTTEN: Final = "a restart begins without the change; what is kept from event to event is `state`"
_NOW: Final = frozenset(("now", "utcnow", "today"))
_ORDERING: Final = frozenset(("list", "tuple", "enumerate", "iter", "next"))


class Forbidden(NamedTuple):
    node: ast.AST
    message: str
    hint: str


def forbidden(tree: ast.Module) -> Iterator[Forbidden]:
    """In no order."""
    clocks = set(_clocks(tree))
    for node in ast.walk(tree):
        yield from _imports(node)
        yield from _clock(node, clocks)
        yield from _orders(node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in _CALLS:
            yield Forbidden(node, f"`{node.id}` is not for rules", _CALLS[node.id])
        elif isinstance(node, ast.Global):
            yield Forbidden(node, "a rule changes no global variable", _FORGOTTEN)
    for node, name in changed(tree):
        yield Forbidden(node, f"`{name[:60]}` is the file's, and rules may only read it", _FORGOTTEN)


def _imports(node: ast.AST) -> Iterator[Forbidden]:
    if isinstance(node, ast.Import):
        named = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        named = ["." * node.level + (node.module or "")]
        if any(alias.name == "*" for alias in node.names):
            yield Forbidden(node, "`import *` is not for rules", "name what is imported")
    else:
        return
    for name in named:
        first = name.split(".")[0]
        if name != OURS and first not in PURE:
            hint = _TEACHES.get(first, f"only modules of Python that just compute can be imported, and `{OURS}`")
            yield Forbidden(node, f"`{name[:60]}` cannot be imported by rules", hint)


def _clocks(tree: ast.Module) -> Iterator[str]:
    """The names under which the module, or its classes `datetime` and `date`, are known here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.asname or alias.name for alias in node.names if alias.name == "datetime")
        elif isinstance(node, ast.ImportFrom) and node.module == "datetime":
            yield from (alias.asname or alias.name for alias in node.names if alias.name in ("datetime", "date"))


def _clock(node: ast.AST, clocks: set[str]) -> Iterator[Forbidden]:
    if isinstance(node, ast.Attribute) and node.attr in _NOW:
        of = node.value
        if isinstance(of, ast.Attribute) and of.attr in ("datetime", "date"):
            of = of.value
        if isinstance(of, ast.Name) and of.id in clocks:
            yield Forbidden(node, f"`{ast.unparse(node)[:60]}` reads the clock, and a replay has another", _CLOCK)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    local = node.func.attr == "astimezone" and not node.args and not node.keywords
    local |= node.func.attr == "fromtimestamp" and len(node.args) < 2 and not node.keywords
    if local:
        message = f"`{node.func.attr}` without a time zone takes that of the machine"
        yield Forbidden(node, message, "give it one, such as `UTC`")


def _orders(node: ast.AST) -> Iterator[Forbidden]:
    """Sets of texts have another order in each process."""
    over: ast.expr | None = None
    if isinstance(node, (ast.For, ast.comprehension)):
        over = node.iter
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ORDERING and node.args:
        over = node.args[0]
    made = isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id in ("set", "frozenset")
    if over is not None and (made or isinstance(over, (ast.Set, ast.SetComp))):
        yield Forbidden(over, "a set has another order in each process", "put `sorted(…)` around it")
