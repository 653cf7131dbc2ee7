"""What a record of `rules.model` says, without where it stands: plain values, equal for records that mean the same.

Expressions and payload strings count by what they say, not by how they are spaced. Every part of a record is in it but
for its places, so a part that is added to the model is compared from the first day.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import orjson

from rules.model.source import ByType, Expression, Span, TemplateText, Written
from rules.node_id import said


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
        parts = (
            (field.name, getattr(value, field.name)) for field in fields(value) if not field.name.endswith("_spans")
        )
        return {name: plain(part) for name, part in parts if not isinstance(part, (Span, Written))}
    return value


def digest(value: Any) -> bytes:
    """The same as bytes: 1 and true are two values in it, and the order of a map's keys is none."""
    return orjson.dumps(plain(value), option=orjson.OPT_SORT_KEYS)
