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
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    whole: list[str] = []
    for place, (name, field) in enumerate(sorted(schema.fields.items(), key=_required_first)):
        attribute = f"f{place}"
        # null fits an optional field, so nothing is known of its type
        attributes[name] = (attribute, types.ANY if field.optional else _CEL[field.kind], field.optional)
        if field.kind == "integer":
            whole.append(attribute)
        if field.optional:
            absent = cel.NotEvaluated(f"`event.data.{name}` is absent")
            fields.append((attribute, _PYTHON[field.kind] | None, msgspec.field(default=absent)))
        else:
            fields.append((attribute, _PYTHON[field.kind]))
    struct = msgspec.defstruct(
        "Data",
        fields,
        bases=(_Whole,) if whole else None,
        namespace={"_whole": tuple(whole)} if whole else None,
        rename={attribute: name for name, (attribute, _, _) in attributes.items()},
        gc=False,
    )
    return Shape(msgspec.json.Decoder(struct).decode, attributes)


def _required_first(named: tuple[str, Field]) -> bool:
    return named[1].optional
