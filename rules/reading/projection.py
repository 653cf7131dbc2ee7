"""`projections:`: keyed state, folded from events."""

from __future__ import annotations

from typing import Final

from rules.diagnostics import one_of, shown
from rules.model.projection import Projection
from rules.model.source import Expression, Span
from rules.reading import event_types, names
from rules.reading.by import by
from rules.reading.expression import expression
from rules.reading.reader import Reader
from rules.text.nodes import Node, Scalar, Sequence

KEYS: Final = ("description", "by", "fold", "index", "initial", "delete", "keep", "scope")
SCOPES: Final = ("key", "everywhere")
RESERVED_PARAMETERS: Final = frozenset("limit cursor sort fields key at min_position as_of wait watch".split())
"""Parameters of queries, which a field of the same name would hide."""
RESERVED_ENDINGS: Final = ("__gt", "__gte", "__lt", "__lte", "__ne", "__in", "__null")
"""What queries put behind a field to compare it."""

Named = tuple[tuple[str, Expression], ...]


def projection(reader: Reader, key: Scalar, node: Node, place: int) -> Projection | None:
    """A projection with an error is returned without folds, so that what reads its rows is not reported too."""
    name = names.variable(reader, key, "a projection")
    before = reader.findings.errors
    what = f"projection {shown(key.value)}"
    fields = reader.fields(node, what, KEYS)
    broken = Projection(key.value, None, (), (), (), (), place, reader.span(key))
    if fields is None:
        return broken
    if "description" in fields:
        reader.text(fields["description"], "`description`")
    delete = _types(reader, fields["delete"]) if "delete" in fields else ()
    fold: tuple[tuple[str, Named], ...] = ()
    if "fold" in fields:
        fold = _fold(reader, fields["fold"])
    else:
        reader.error(key, "missing", f"{what} folds nothing: `fold` is missing")
    listened = (*(type for type, _ in fold), *delete)
    key_of = by(reader, fields["by"], listened) if "by" in fields else (None, ())
    initial = named(reader, fields["initial"], "`initial`") if "initial" in fields else ()
    index = _index(reader, fields["index"]) if "index" in fields else ((), ())
    keep = reader.duration(fields["keep"], "`keep`") if "keep" in fields else None
    if keep == 0:
        reader.error(fields["keep"], "bad-duration", "`keep` needs more than no time at all")
    scope = reader.choice(fields["scope"], "`scope`", SCOPES) if "scope" in fields else "key"
    for type, _ in fold:
        if type in delete:
            reader.error(fields["delete"], "conflict", f"{shown(type)} stands in `fold` and in `delete`")
    if name is None or reader.findings.errors != before:
        return broken
    return Projection(
        name,
        key_of[0],
        fold,
        index[0],
        initial,
        delete,
        place,
        reader.span(key),
        index[1],
        key_of[1],
        keep,
        scope == "everywhere",
    )


def named(reader: Reader, node: Node, what: str) -> Named:
    """Field → expression."""
    entries = reader.entries(node, what)
    found: list[tuple[str, Expression]] = []
    for key, value in (entries or {}).values():
        name = names.field(reader, key, "a field")
        read = expression(reader, value, shown(key.value))
        if name is not None and read is not None:
            found.append((name, read))
    return tuple(found)


def _fold(reader: Reader, node: Node) -> tuple[tuple[str, Named], ...]:
    entries = reader.entries(node, "`fold`")
    found: list[tuple[str, Named]] = []
    for key, value in (entries or {}).values():
        type = event_types.exact(reader, key, "a fold")
        fields = named(reader, value, f"the fold of {shown(key.value)}")
        if type is not None:
            found.append((type, fields))
    if entries == {}:
        reader.error(node, "missing", "`fold` names no event type")
    return tuple(found)


def _types(reader: Reader, node: Node) -> tuple[str, ...]:
    nodes = node.items if isinstance(node, Sequence) else [node]
    found = [event_types.exact(reader, each, "`delete`") for each in nodes]
    return tuple(dict.fromkeys(type for type in found if type is not None))


def _index(reader: Reader, node: Node) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    items = reader.items(node, "`index`", "write `[field]`" if isinstance(node, Scalar) else None)
    found: dict[str, Span] = {}
    for item in items or []:
        field = reader.text(item, "`index`")
        if field is None:
            continue
        if field in RESERVED_PARAMETERS:
            message = f"the field {shown(field)} cannot be indexed: queries have a parameter of that name"
            reader.error(item, "bad-name", message, f"taken are {one_of(sorted(RESERVED_PARAMETERS))}")
        elif field.endswith(RESERVED_ENDINGS):
            ending = next(each for each in RESERVED_ENDINGS if field.endswith(each))
            message = f"the field {shown(field)} cannot be indexed: queries compare with a parameter that ends so"
            reader.error(item, "bad-name", message, f"{shown(ending)} stands for a comparison: fold it by another name")
        elif field in found:
            reader.error(item, "twice", f"{shown(field)} stands twice in `index`")
        else:
            found[field] = reader.span(item)
    return tuple(found), tuple(found.values())
