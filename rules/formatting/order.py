"""The order of keys where it means nothing. What is not named here stands as its author put it: `let`, fold values and
payloads are read in order, and the order of fields and events is taste."""

from __future__ import annotations

from typing import Final

ORDER: Final[dict[str, tuple[str, ...]]] = {
    "file": ("ruleset", "description", "lateness", "events", "projections", "tables", "rules", "tests"),
    "projection": ("description", "scope", "by", "initial", "fold", "delete", "keep", "index"),
    "table": ("description", "inputs", "outputs", "hit", "rows"),
    "rule": (
        *("description", "on", "by", "when", "let"),
        *("over", "having", "after", "unless", "pending", "sequence", "within"),
        *("settle", "once_within", "once", "keep", "priority", "enabled", "shadow", "then"),
    ),
    "unless": ("on", "when"),
    "action": (
        *("command", "to", "emit", "subject", "data", "alert", "severity", "args"),
        *("timeout", "expires", "order", "fallback"),
    ),
    "test": ("description", "given", "until", "expect"),
}

_INSIDE: Final = {
    ("file", "projections"): "projections",
    ("file", "tables"): "tables",
    ("file", "rules"): "rules",
    ("file", "tests"): "tests",
    ("rule", "then"): "actions",
    ("rule", "unless"): "unless",
    ("action", "fallback"): "actions",
}
_EACH: Final = {
    "projections": "projection",
    "tables": "table",
    "rules": "rule",
    "tests": "test",
    "actions": "action",
}
APART: Final = frozenset(("file", "projections", "tables", "rules", "tests"))
"""Whose entries an empty line keeps apart."""


def inside(what: str, key: str | None) -> str:
    """What stands under a key, or in a list, of something; "" is nothing in particular."""
    return _EACH.get(what) or _INSIDE.get((what, key or ""), "")


def place(what: str, key: str) -> int:
    """Keys without a place go last, in the order in which they stand."""
    order = ORDER[what]
    return order.index(key) if key in order else len(order)
