"""Declared shapes of data, as typed decoders: one C call decodes and validates, and generated code reads attributes.

Fields that are not declared may be there too and are skipped. A missing optional field reads as `NotEvaluated`, so that
code which reads it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from rules import cel
from rules.cel import types
from rules.model.event_schema import EventSchema, Field

_PYTHON: dict[str, Any] = {
    "number": int | float,
    "integer": int | float,
    "string": str,
    "boolean": bool,
    "list": list[Any],
    "map": dict[str, Any],
    "any": Any,
}
_CEL: dict[str, types.Type] = {
    "number": types.NUMBER,
    "integer": types.NUMBER,
    "string": types.STRING,
    "boolean": types.BOOL,
    "list": types.ListOf(),
    "map": types.MapOf(),
    "any": types.ANY,
}


Attributes = dict[cel.Path, tuple[cel.Path, types.Type, bool]]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    decode: Callable[[Any], Any]
    """Raw data → a struct. msgspec.ValidationError if it does not fit, msgspec.DecodeError if it is no JSON."""
    quick: Callable[[Any], Any]
    """The same, but that whole numbers must be written as such."""
    attributes: Attributes
    """Field, by its path in the data → (path of attributes of the struct, type, whether it may be absent). Of a map
    whose fields are declared these are there instead of it, unless it may be absent."""

    def holds(self, paths: Iterable[cel.Path]) -> bool:
        """Whether all that these paths read of an event's data are declared fields."""
        return all(
            any(path[2:end] in self.attributes for end in range(3, len(path) + 1))
            for path in paths
            if path[0] == "event" and path[1:2] in ((), ("data",))
        )

    def whole(self, fields: Iterable[str]) -> dict[str, str] | None:
        """The attribute of the struct that is the value of each field; None where one may be absent or is taken apart,
        or is not declared."""
        found: dict[str, str] = {}
        for field in fields:
            (attribute, *_), _, optional = self.attributes.get((field,), (("",), types.ANY, True))
            if optional:
                return None
            found[field] = attribute
        return found


class _Whole(msgspec.Struct):
    """Checks that whole numbers are whole: JSON may write 7 as 7.0."""

    def __post_init__(self) -> None:
        for attribute in self._whole:  # type: ignore[attr-defined]
            value = getattr(self, attribute)
            if value.__class__ is float and not value.is_integer():
                raise ValueError(f"{value} is no whole number")


def shapes(schemas: Iterable[EventSchema]) -> dict[str, Shape]:
    """Type → shape. Types that declare the same fields share one: making one takes long, and caches are small."""
    known: dict[Hashable, Shape] = {}
    made: dict[str, Shape] = {}
    for schema in schemas:
        said = _said(schema.fields)
        if said not in known:
            known[said] = _shape(schema.fields)
        made[schema.type] = known[said]
    return made


def _said(fields: dict[str, Field]) -> Hashable:
    return frozenset(
        (name, field.kind, field.optional, field.fields and _said(field.fields)) for name, field in fields.items()
    )


def _shape(fields: dict[str, Field]) -> Shape:
    attributes: Attributes = {}
    exact, quick = _structs(fields, (), (), attributes)
    quickly = msgspec.json.Decoder(quick).decode
    return Shape(quickly if exact is quick else msgspec.json.Decoder(exact).decode, quickly, attributes)


def _structs(
    fields: dict[str, Field], path: cel.Path, place: cel.Path, attributes: Attributes | None
) -> tuple[Any, Any]:
    """The structs of a map, exact and quick, the same one where there is no difference. `path` is where it stands in
    the data, `place` in the struct around it; what can be reached goes to `attributes`."""
    exact: list[tuple[str, Any, Any]] = []
    quick: list[tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    whole: list[str] = []
    for number, (name, field) in enumerate(sorted(fields.items(), key=_required_first)):
        attribute = f"f{number}"
        names[attribute] = name
        within, at = (*path, name), (*place, attribute)
        kind = strict = _PYTHON[field.kind]
        if field.fields is not None:
            kind, strict = _structs(field.fields, within, at, None if field.optional else attributes)
        elif field.kind == "integer":
            strict = int
            whole.append(attribute)
        if attributes is not None and field.fields is None:
            # null fits an optional field, so nothing is known of its type
            attributes[within] = (at, types.ANY if field.optional else _CEL[field.kind], field.optional)
        absent: Any = msgspec.NODEFAULT
        if field.optional:
            kind, strict = kind | None, strict | None
            absent = msgspec.field(default=cel.NotEvaluated(f"`event.data.{'.'.join(within)}` is absent"))
        exact.append((attribute, kind, absent))
        quick.append((attribute, strict, absent))
    quickly = msgspec.defstruct("Data", quick, rename=names, gc=False)
    if [kind for _, kind, _ in exact] == [kind for _, kind, _ in quick]:
        return quickly, quickly
    more: dict[str, Any] = {"bases": (_Whole,), "namespace": {"_whole": tuple(whole)}} if whole else {}
    return msgspec.defstruct("Data", exact, rename=names, gc=False, **more), quickly


def _required_first(named: tuple[str, Field]) -> bool:
    return named[1].optional
