"""The state of a Python rule: declared, filled in, checked, and as it lies in a cell: as MessagePack, of which each
call gets a copy of its own. A state that is as at the beginning takes no room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec

from rules.model.function import Function, StateField, StateKind
from rules.python.errors import BadDeclaration, BadValue
from rules.python.values import kept

TYPES: Final[dict[StateKind, type]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
}
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode


def shape(declared: Mapping[str, Any]) -> tuple[StateField, ...]:
    """A field is declared by its type, or by its first value. Raises BadDeclaration."""
    if not isinstance(declared, Mapping):
        raise BadDeclaration('`state` is a dict, such as `{"count": int}`')
    return tuple(_field(name, said) for name, said in declared.items())


def _field(name: Any, said: Any) -> StateField:
    if not isinstance(name, str) or not name.isidentifier() or len(name) > 200:
        raise BadDeclaration("the fields of `state` are named as Python names things", 'such as `{"count": int}`')
    for kind, type in TYPES.items():
        if said is type or said.__class__ is type:
            try:
                return StateField(name, kind, type() if said is type else kept(said, f"state `{name}`"))
            except BadValue as error:
                raise BadDeclaration(str(error)) from None
    kinds = ", ".join(get_args(StateKind))
    raise BadDeclaration(f"the state field `{name}` has no type that can be kept", f"choose one of {kinds}")


def fresh(function: Function, stored: bytes | None) -> dict[str, Any]:
    """A copy for one call."""
    return _decode(_first(function) if stored is None else stored)


def packed(function: Function, state: dict[str, Any]) -> bytes | None:
    """As it is stored; None for one that is as at the beginning. Raises BadValue."""
    names = {field.name for field in function.state}
    for name in state:
        if name not in names:
            known = f"it declares {', '.join(sorted(names))}" if names else "the rule declares none"
            raise BadValue(f"the state has a field {name!r} that is not declared: {known}")
    made: dict[str, Any] = {}
    for field in function.state:
        if field.name not in state:
            raise BadValue(f"the state field `{field.name}` is gone: set it to its first value instead")
        made[field.name] = _fitting(field, state[field.name])
    encoded = _encode(made)
    if len(encoded) > function.max_state:
        raise BadValue(
            f"the state takes {len(encoded):,} bytes, and `max_state` is {function.max_state:,}: "
            "keep less, or allow more"
        )
    return None if encoded == _first(function) else encoded


def _fitting(field: StateField, value: Any) -> Any:
    type = TYPES[field.kind]
    if type is float and value.__class__ is int:
        value = float(value)
    if value.__class__ is not type:
        holds = value.__class__.__name__
        raise BadValue(f"the state field `{field.name}` is declared as {field.kind}, and holds {holds}")
    return kept(value, f"state `{field.name}`")


def _first(function: Function) -> bytes:
    return _encode({field.name: field.default for field in function.state})
