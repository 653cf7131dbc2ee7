"""What all rules of a bucket ask of one number: an event beyond it fits none of them, and the bucket is not asked.

Rules that pin a field often ask for a threshold, too (`event.data.card == 'x' && event.data.amount > 990`). Most events
stay below it, so one comparison beside the look-up saves most calls. It rules out and never lets in: what is left of a
condition is tested as always. A conjunct that is false makes the whole condition false, whatever the others come to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules import cel
from rules.cel import emit, types
from rules.compile.code import quote

Number = int | float
Side = tuple[cel.Path, str]
"""A path, and `>=` or `<=`."""


@dataclass(frozen=True, slots=True)
class Bound:
    node: cel.Node
    """Reads the path."""
    path: cel.Path
    operator: str
    """`>=`: a value has to reach the limit; `<=`: it must not exceed it."""
    limits: Mapping[object, Number]
    """Bucket → limit. Infinite where some rule of the bucket has none."""


def bound(buckets: Mapping[object, Sequence[cel.Node | None]]) -> Bound | None:
    """The bound that most buckets have, if more than half have it. Of each bucket: what is left of its conditions."""
    limits: dict[Side, dict[object, Number]] = {}
    nodes: dict[cel.Path, cel.Node] = {}
    for bucket, conditions in buckets.items():
        asked = [_limits(condition, nodes) for condition in conditions]
        for side in set(asked[0]).intersection(*asked[1:]):
            loosest = min if side[1] == ">=" else max
            limits.setdefault(side, {})[bucket] = loosest(each[side] for each in asked)
    if not limits:
        return None
    (path, operator), found = max(limits.items(), key=lambda each: len(each[1]))
    if 2 * len(found) <= len(buckets):
        return None
    unlimited = float("-inf" if operator == ">=" else "inf")
    return Bound(nodes[path], path, operator, {bucket: found.get(bucket, unlimited) for bucket in buckets})


def usable(bound: Bound | None, scope: cel.Scope) -> Bound | None:
    """A bound that can be read in passing: of a number that is surely there, so that reading it cannot fail."""
    if bound is None or not scope.present(bound.path):
        return None
    return bound if types.family(scope.type_of(bound.path) or types.ANY) == types.NUMBER.name else None


def fits(bound: Bound | None, scope: cel.Scope) -> ast.expr:
    """Code that asks whether a bucket was `found`, with its limit, that an event may fit."""
    if bound is None:
        said = quote("found is not None")[0]
    else:
        reaches = f"found is not None and READ {bound.operator} found[1]"
        said = quote(reaches, READ=emit.expression(bound.node, scope))[0]
    assert isinstance(said, ast.Expr)
    return said.value


def _limits(condition: cel.Node | None, nodes: dict[cel.Path, cel.Node]) -> dict[Side, Number]:
    """The tightest of each side. Notes what reads the paths."""
    found: dict[Side, Number] = {}
    for side, limit, node in _compared(condition):
        tightest = max if side[1] == ">=" else min
        found[side] = tightest(limit, found.get(side, limit))
        nodes.setdefault(side[0], node)
    return found


def _compared(condition: cel.Node | None) -> Iterator[tuple[Side, Number, cel.Node]]:
    for conjunct in cel.conjuncts(condition) if condition is not None else ():
        ordered = cel.ordering(conjunct)
        if ordered is None:
            continue
        node, operator, limit = ordered
        path = cel.path(node)
        if path is not None and path[0] == "event" and limit.__class__ in (int, float):
            yield (path, f"{operator[0]}="), limit, node
