"""Inlined pieces of the fused functions: one fold, one condition.

Each is fast code in a `try` that costs nothing unless it raises, and a call of its exact twin for when it does. The
code uses the local names of the fused function around it: `ev e key cell t d rows`, and `changed`, which says
that the cell has to be committed.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

from rules import cel
from rules.cel import emit, types
from rules.cel.emitter import Emitter
from rules.cel.nodes import Literal
from rules.cel.numbers import LEAST, MOST
from rules.compile.code import assign, name, quote
from rules.compile.fold import Fold
from rules.compile.rows import FAR, stored
from rules.compile.rule import CompiledRule
from rules.compile.table import inlined_tables
from rules.compile.variables import Variables
from rules.model.source import Expression

FOLD: Final = """
row = rows.get(ID)
try:
    if row is None:
        row = NEW
    VALUES
except _cel_Exception:
    SLOWLY(ev, e, key, cell)
else:
    ASSIGNED
    rows[ID] = row
    changed = True
    TOUCHED
"""

TOUCHED: Final = "TOUCH(ev, key, cell, t)"

DELETED: Final = """
if rows.pop(ID, None) is not None:
    changed = True
    GONE
"""

WHOLE: Final = f"""
if VALUE.__class__ is _float:
    if not -{FAR!r} < VALUE < {FAR!r} or VALUE.is_integer():
        TARGET = _stored(VALUE)
elif VALUE.__class__ is not _int or not {LEAST} <= VALUE <= {MOST}:
    TARGET = _stored(VALUE)
"""

SCALAR: Final = "if VALUE.__class__ is not _str:" + WHOLE.replace("\n", "\n    ")
"""`rows.stored`, without a call for most values."""

TEST: Final = """
try:
    TESTED
except _cel_Exception:
    hit = JUDGE(ev, e, key, cell)
if hit:
    HIT
"""


def inlined_fold(fold: Fold, scope: Variables) -> list[ast.stmt]:
    if fold.everywhere:
        # reference data changes rarely, and each change is copied
        return quote("SLOWLY(ev, e, key, cell)", SLOWLY=scope.bind(fold.slowly))
    if fold.deletes:
        gone = [] if fold.forgetting is None else quote("GONE(ev, cell)", GONE=scope.bind(fold.forgetting.gone))
        return quote(DELETED, ID=ast.Constant(fold.id), GONE=gone)
    values: list[ast.stmt] = []
    assigned: list[ast.stmt] = []
    with scope.within():
        scope.declare(("row",), "row", fold.record)
        for place, (field, expression) in enumerate(fold.fields):
            variable = f"f{place}"
            values.append(assign(variable, emit.expression(expression.node, scope)))
            normalise = _normalise(expression.node, scope)
            values += quote(normalise, VALUE=name(variable), TARGET=ast.Name(variable, ast.Store()))
            assigned += quote("row[FIELD] = VALUE", FIELD=ast.Constant(field), VALUE=name(variable))
    scope.namespace.update(_stored=stored, _str=str, _int=int, _float=float)
    new: ast.expr = ast.Dict([], [])
    if fold.initial is not None:
        new = ast.Call(scope.bind(fold.new), [name("e"), name("key"), name("cell")], [])
    return quote(
        FOLD,
        ID=ast.Constant(fold.id),
        NEW=new,
        VALUES=values,
        SLOWLY=scope.bind(fold.slowly),
        ASSIGNED=assigned,
        TOUCHED=[] if fold.forgetting is None else quote(TOUCHED, TOUCH=scope.bind(fold.forgetting.touch)),
    )


def inlined_test(rule: CompiledRule, when: cel.Node | None, scope: Variables, hit: list[ast.stmt]) -> list[ast.stmt]:
    """`hit` where `when` holds, which is the rule's condition or what is left of it."""
    if when is None:
        return hit
    tested: list[ast.stmt] = []
    with scope.within():
        if rule.own:
            scope.alias(rule.own)
        lets = lets_read(rule, when)
        tested += inlined_tables(rule.tables, [when, *(expression.node for _, expression in lets)], scope)
        for place, (let, expression) in enumerate(lets):
            tested.append(assign(f"l{place}", emit.expression(expression.node, scope)))
            scope.declare((let,), f"l{place}")
        tested.append(assign("hit", emit.expression(when, scope, condition=True)))
    return quote(TEST, TESTED=tested, JUDGE=scope.bind(rule.condition.judge), HIT=hit)


def lets_read(rule: CompiledRule, node: cel.Node) -> Sequence[tuple[str, Expression]]:
    """The `let` values that an expression reads, and those that they read."""
    needed = set(cel.names(node))
    found: list[tuple[str, Expression]] = []
    for let, expression in reversed(rule.lets):
        if let in needed:
            found.append((let, expression))
            needed |= cel.names(expression.node)
    return found[::-1]


def _normalise(node: cel.Node, scope: Variables) -> str:
    """What is left to do before a value can be stored, with what is known of it."""
    kind = Emitter(scope, None).type_of(node)
    if kind in (types.STRING, types.BOOL, types.NULL) or (isinstance(node, Literal) and isinstance(node.value, int)):
        return ""
    if types.family(kind) == types.NUMBER.name:
        return WHOLE
    return SCALAR
