"""Declared shapes of data, as typed decoders: one C call decodes and validates, and generated code reads attributes.

Fields that are not declared may be there too and are skipped. A missing optional field reads as `NotEvaluated`, so that
code which reads it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    decode: Callable[[Any], Any]
    """Raw data → a struct. msgspec.ValidationError if it does not fit, msgspec.DecodeError if it is no JSON."""
    quick: Callable[[Any], Any]
    """The same, but that whole numbers must be written as such."""
    attributes: dict[str, tuple[str, types.Type, bool]]
    """Field → (attribute of the struct, type, whether it may be absent)."""

    def holds(self, paths: Iterable[cel.Path]) -> bool:
        """Whether all that these paths read of an event's data are declared fields."""
        return all(
            len(path) > 2 and path[2] in self.attributes
            for path in paths
            if path[0] == "event" and path[1:2] in ((), ("data",))
        )


class _Whole(msgspec.Struct):
    """Checks that whole numbers are whole: JSON may write 7 as 7.0."""

    def __post_init__(self) -> None:
        for attribute in self._whole:  # type: ignore[attr-defined]
            value = getattr(self, attribute)
            if value.__class__ is float and not value.is_integer():
                raise ValueError(f"{value} is no whole number")


def shape(schema: EventSchema) -> Shape:
    attributes: dict[str, tuple[str, types.Type, bool]] = {}
    exact: list[tuple[str, Any, Any]] = []
    quick: list[tuple[str, Any, Any]] = []
    whole: list[str] = []
    for place, (name, field) in enumerate(sorted(schema.fields.items(), key=_required_first)):
        attribute = f"f{place}"
        # null fits an optional field, so nothing is known of its type
        attributes[name] = (attribute, types.ANY if field.optional else _CEL[field.kind], field.optional)
        kind = _PYTHON[field.kind]
        absent: Any = msgspec.NODEFAULT
        strict = int if field.kind == "integer" else kind
        if field.kind == "integer":
            whole.append(attribute)
        if field.optional:
            kind, strict = kind | None, strict | None
            absent = msgspec.field(default=cel.NotEvaluated(f"`event.data.{name}` is absent"))
        exact.append((attribute, kind, absent))
        quick.append((attribute, strict, absent))
    names = {attribute: name for name, (attribute, _, _) in attributes.items()}
    decode = _decoder(exact, names, bases=(_Whole,), namespace={"_whole": tuple(whole)}) if whole else None
    strictly = _decoder(quick, names)
    return Shape(decode or strictly, strictly, attributes)


def _decoder(fields: list[tuple[str, Any, Any]], names: dict[str, str], **more: Any) -> Callable[[Any], Any]:
    return msgspec.json.Decoder(msgspec.defstruct("Data", fields, rename=names, gc=False, **more)).decode


def _required_first(named: tuple[str, Field]) -> bool:
    return named[1].optional
