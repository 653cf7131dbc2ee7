"""What a record of `rules.model` says, without where it stands: plain values, equal for records that mean the same.

Expressions and payload strings count by what they say, not by how they are spaced. Every part of a record is in it but
for its places, so a part that is added to the model is compared from the first day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import orjson

from rules import cel
from rules.model.source import ByType, Expression, Span, TemplateText, Written
from rules.node_id import said

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def plain(value: Any) -> Any:
    """Of records, tuples, maps and scalars. Records are maps from field to value; fields that are only places are left
    out, and so is `by_types`, which says again what `by` says."""
    if isinstance(value, Expression):
        return ["cel", said(value.node).decode()]
    if isinstance(value, TemplateText):
        return ["text", said(value.template.node).decode()]
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value if not isinstance(each, ByType)]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(part) for name, part in _parts(value)}
    return value


def digest(value: Any) -> bytes:
    """The same as bytes: 1 and true are two values in it, and the order of a map's keys is none."""
    return orjson.dumps(plain(value), option=orjson.OPT_SORT_KEYS, default=str)


def expressions(value: Any) -> Iterator[cel.Node]:
    """All trees in a record."""
    if isinstance(value, Expression):
        yield value.node
    elif isinstance(value, TemplateText):
        yield value.template.node
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from expressions(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from expressions(each)
    elif is_dataclass(value) and not isinstance(value, type):
        for _, part in _parts(value):
            yield from expressions(part)


def _parts(record: DataclassInstance) -> Iterator[tuple[str, Any]]:
    """But for places, and for what is no part of what makes two records equal."""
    for field in fields(record):
        part = getattr(record, field.name)
        if field.compare and not field.name.endswith("_spans") and not isinstance(part, (Span, Written)):
            yield field.name, part
