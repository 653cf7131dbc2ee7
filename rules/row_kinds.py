"""What kind of value each field of a projection's rows has, as far as the schemas of events say."""

from __future__ import annotations

from typing import Final

from rules.cel.types import BOOL, INTEGER, NULL, NUMBER, STRING, ListOf, MapOf, Record, Type
from rules.checks.environment import Environments
from rules.ruleset import RuleSet

_NAMES: Final[dict[Type, str]] = {
    NUMBER: "number",
    INTEGER: "integer",
    STRING: "string",
    BOOL: "boolean",
    NULL: "null",
}


def row_kinds(ruleset: RuleSet) -> dict[str, tuple[tuple[str, str], ...]]:
    """Projection → (field, kind) of all its fields, in the order in which they are folded first. A kind is number,
    integer, string, boolean, null, list, map or any; any field may be absent."""
    own = Environments(ruleset).own
    return {
        name: tuple((field, _name(kind)) for field, (kind, _) in row.fields.items()) if isinstance(row, Record) else ()
        for name, row in own.items()
    }


def _name(kind: Type) -> str:
    if isinstance(kind, ListOf):
        return "list"
    return "map" if isinstance(kind, (MapOf, Record)) else _NAMES.get(kind, "any")
