"""Static types: what is known of a value before there is one.

Callers describe their variables with these (`check`, `Scope`), and get one back. `ANY` is what is not known and agrees
with everything. `INTEGER` is a `NUMBER` that is whole. A record that is not `open` has no other fields than it names.
Keys of a `MapOf` are strings wherever a caller promises one, as in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """A scalar type, or the base of the others. `name` is fit for a message."""

    name: str

    def __str__(self) -> str:
        return self.name


ANY = Type("any value")
NUMBER = Type("a number")
INTEGER = Type("a whole number")
STRING = Type("a string")
BOOL = Type("a boolean")
NULL = Type("null")
TIMESTAMP = Type("a timestamp")
DURATION = Type("a duration")


@dataclass(frozen=True, slots=True)
class ListOf(Type):
    element: Type

    def __init__(self, element: Type = ANY) -> None:
        object.__setattr__(self, "name", "a list")
        object.__setattr__(self, "element", element)


@dataclass(frozen=True, slots=True)
class MapOf(Type):
    value: Type

    def __init__(self, value: Type = ANY) -> None:
        object.__setattr__(self, "name", "a map")
        object.__setattr__(self, "value", value)


@dataclass(frozen=True, slots=True)
class Record(Type):
    """A map with known fields: name → (type, optional)."""

    fields: Mapping[str, tuple[Type, bool]]
    open: bool

    def __init__(self, fields: Mapping[str, tuple[Type, bool]], open: bool = False) -> None:
        object.__setattr__(self, "name", "a map")
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "open", open)

    def __hash__(self) -> int:
        return hash((frozenset(self.fields), self.open))


@dataclass(frozen=True, slots=True)
class Function(Type):
    """A further function that `check` finds under its name in the environment; `parameters` None takes anything."""

    result: Type
    parameters: tuple[Type, ...] | None

    def __init__(self, result: Type, parameters: tuple[Type, ...] | None = None) -> None:
        object.__setattr__(self, "name", "a function")
        object.__setattr__(self, "result", result)
        object.__setattr__(self, "parameters", parameters)


def family(kind: Type) -> str | None:
    """The kind of values a type stands for, or None where it may be any."""
    if kind is ANY:
        return None
    return NUMBER.name if kind is INTEGER else kind.name


def join(a: Type, b: Type) -> Type:
    """What is still known of a value that is one or the other."""
    if a == b:
        return a
    if family(a) == family(b) == NUMBER.name:
        return NUMBER
    if isinstance(a, ListOf) and isinstance(b, ListOf):
        return ListOf(join(a.element, b.element))
    if family(a) == family(b) == "a map":
        return MapOf()
    return ANY
