"""Conditions of lists from what people write: pairs of a name and a text, such as (`amount__gt`, `10`).

    FIELD=value    FIELD__gt|gte|lt|lte|ne=value    FIELD__in=a,b or a JSON array    FIELD__null=true|false

FIELD is one of the projection's `index`, or `key`. What a text means follows from the field's kind, where the rules say
it: of a string the text itself, of a number or boolean the JSON; where they do not, whatever it is as JSON, else the
text itself, so `"35"` in quotes is the text and 35 the number. One way for HTTP, console and command line. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, Final

import msgspec

from projections import spans
from projections.order import ABSENT, code
from projections.spans import CODES, EVERYTHING, KEYS, Span, Spans
from projections.store import Condition, RowQuery
from projections.table import KEY, QueryTable

COMPARISONS: Final = ("gt", "gte", "lt", "lte")
OPERATIONS: Final = (*COMPARISONS, "ne", "in", "null")
"""What stands behind `__`. Fields of an `index` cannot end so (`rules check`)."""
MOST: Final = 100
"""Conditions of one list, and values of one `in`."""


class QueryError(ValueError):
    """The question makes no sense; the text says why and what to ask. `field` is the parameter to blame."""

    def __init__(self, text: str, field: str | None = None) -> None:
        super().__init__(text)
        self.field = field


def row_query(table: QueryTable, filters: Iterable[tuple[str, str]], sort: str | None) -> RowQuery:
    """`sort` is a field or `key`, `-` before it to begin with the last; None: by key. Raises QueryError."""
    found: dict[str, Spans] = {}
    seen: set[str] = set()
    for name, text in filters:
        if name in seen:
            raise QueryError(f"`{name}` comes more than once: send it once, or several values with `__in`", name)
        seen.add(name)
        if len(seen) > MOST:
            raise QueryError(f"more than {MOST} conditions: ask with fewer", name)
        field, operation = _read_name(table, name)
        found[field] = spans.both(found.get(field, EVERYTHING), _spans(table, name, field, operation, text))
    field = (sort or KEY).removeprefix("-")
    _check_field(table, field, "sort", field)
    conditions = tuple(Condition(field, each) for field, each in found.items())
    return RowQuery(conditions, field, sort is not None and sort.startswith("-"))


def _read_name(table: QueryTable, name: str) -> tuple[str, str]:
    """(field, operation)."""
    field, parted, operation = name.rpartition("__")
    if name in table.index or not parted or operation not in OPERATIONS:
        field, operation = name, ""
    _check_field(table, field, name, name if not operation else field)
    return field, operation


def _check_field(table: QueryTable, field: str, parameter: str, said: str) -> None:
    if field == KEY or field in table.index:
        return
    known = dict(table.fields)
    there = ", ".join(f"`{each}`" for each in (*table.index, KEY))
    if field in known or not known:
        raise QueryError(
            f"`{said[:80]}` of `{table.name}` is not indexed: add it to `index:` of the projection in the rule file; "
            f"lists filter and sort by {there}",
            parameter,
        )
    stem, parted, operation = said.rpartition("__")
    if parted and (stem in table.index or stem == KEY):
        possible = ", ".join(f"`{stem}__{each}`" for each in OPERATIONS)
        raise QueryError(f"there is no `__{operation[:40]}`: use {possible} or `{stem}`", parameter)
    raise QueryError(f"`{table.name}` has no field `{said[:80]}`: lists filter and sort by {there}", parameter)


def _spans(table: QueryTable, name: str, field: str, operation: str, text: str) -> Spans:
    check_text(text, name)
    if operation == "null":
        if text not in ("true", "false") or field == KEY:
            raise QueryError(
                f"`{name}` asks whether there is a value: send true or false, of a field that is no key", name
            )
        return spans.points([ABSENT], CODES) if text == "true" else spans.apart_from(ABSENT, CODES)
    place, end = _reader(table, name, field), KEYS if field == KEY else CODES
    if operation == "in":
        return spans.points((place(value) for value in _values(name, text)), end)
    at = place(text)
    if operation == "":
        return spans.points([at], end)
    if operation == "ne":
        return spans.apart_from(at, end)
    if field == KEY:
        return spans.compared(operation, at, end, Span(b"", None))
    if at == ABSENT:
        raise QueryError(f"nothing is more or less than null: ask with `{field}__null=true`", name)
    return spans.compared(operation, at, end, spans.kind_of(at))


def _values(name: str, text: str) -> list[Any]:
    """Texts, or values of a JSON array."""
    values: list[Any] | None = None
    if text.startswith("["):
        try:
            values = msgspec.json.decode(text, type=list[Any])
        except (msgspec.MsgspecError, RecursionError):
            raise QueryError(f'`{name}` begins with `[` and is no JSON array: send a,b or ["a","b"]', name) from None
    found = text.split(",") if values is None else values
    if len(found) > MOST:
        raise QueryError(f"`{name}` has {len(found)} values: ask for at most {MOST}", name)
    return found


def _reader(table: QueryTable, name: str, field: str) -> Callable[[Any], bytes]:
    """From a value as text, or out of a JSON array, to its place."""
    kind = "string" if field == KEY else table.kind(field)

    def place(value: Any) -> bytes:
        if isinstance(value, str):
            value = read_value(value, kind, name)
        if field == KEY:
            if not isinstance(value, str):
                raise QueryError(f"`{name}`: a key is a text", name)
            return value.encode()
        return code(value)

    return place


def read_value(text: str, kind: str, name: str) -> Any:
    """What a text means in a field of this kind. Raises QueryError."""
    if kind == "string":
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        value = text
    if kind in ("number", "integer"):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise QueryError(f"`{name}` takes a number, and `{text[:40]}` is none", name)
    elif kind == "boolean" and value is not None and not isinstance(value, bool):
        raise QueryError(f"`{name}` takes true or false, and `{text[:40]}` is neither", name)
    if isinstance(value, float) and not isfinite(value):
        raise QueryError(f"`{name}`: `{text[:40]}` is too large for a number", name)
    return value


def check_text(text: str, name: str) -> None:
    """Raises QueryError for what is no valid Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueryError(f"`{name}` holds a lone surrogate: ask in valid Unicode", name) from None
