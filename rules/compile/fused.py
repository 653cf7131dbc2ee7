"""The hot path: one generated Python function for all that listens to a type of event (ARCHITECTURE §11).

Two forms share their inside. `run` loops over consecutive events of one type under their own keys: clock, passed
deadlines, data, folds, rules, all inlined, nothing looked up twice. `one` evaluates a single event under a given key,
for a given choice of routes: derived and forwarded events, and those that do not fit their schema.

Inlined are the values of folds, and `when` with the `let` values it reads. That is pure code: whenever it raises,
whatever it raises, the exact twin (`Fold.slowly`, `Condition.judge`) starts again from the beginning, so fast code
need not know what went wrong. Conditions cannot see what other rules do to the same event, so they may be tested in any
order; what follows from them happens in the order of firing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rules import cel
from rules.cel import emit
from rules.compile.bound import fits, usable
from rules.compile.code import Deferred, assign, function, name, quote, used
from rules.compile.index import Residue, finder, tables
from rules.compile.inline import inlined_fold, inlined_test, lets_read
from rules.compile.listen import Hearing
from rules.compile.rows import Rows
from rules.compile.rule import CompiledRule
from rules.compile.schema import Shape
from rules.compile.table import inputs_read
from rules.compile.triggers.after import After
from rules.compile.triggers.trigger import Trigger, Typed
from rules.compile.upcast import ATTRIBUTE, Upcaster
from rules.compile.variables import UNDECODED, Variables, decode_data, row_prologue, row_variable
from streams.event import CONTROL, OUTSIDE, Event
from streams.processor import Poisoned
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation

RUN: Final = """
cells = ev.cells
touch = ev.dirty.add
changed = False
queue = ev.queue
tick = ev.tick
BEFORE
try:
    while i < n:
        e = events[i]
        GOES_ON
        ev.offset = offsets[i]
        key = e.key
        cell = cells[key]
        t = e.time
        clock = cell.clock
        if e.kind == OUTSIDE:
            moved = MOVED
            if moved > clock:
                cell.clock = clock = moved
                changed = True
            elif t < clock and clock >= tick:
                ev.late += 1
        if clock < tick:
            if e.kind == OUTSIDE and t < tick:
                ev.late += 1
            clock = tick
        if cell.due < clock:
            ev.expire(key, cell, clock)
        INSIDE
        if changed:
            changed = False
            touch(key)
        if queue:
            ev.drain(key, cell)
        if cell.due < clock:
            ev.overdue(key, cell, clock)
        i += 1
except _Poisoned:
    raise
except _cel_Exception as error:
    raise _poisoned(offsets[i], events[i], error) from error
return i
"""

VERSIONED: Final = """
subject = e.subject
x = e.extensions
if OLDER:
    e, subject = _fitting(e)
"""
"""An event of a type that has versions. Afterwards it is of the newest, or `subject` is None."""

SAME: Final = "if e.type != kind:\n    break"

MIXED: Final = """
if e.kind == CONTROL:
    break
inside = _insides[e.type]
"""
MANY: Final = 100
"""Events of alternating types after which one type is tried again."""

OWN: Final = """
if SUBJECT != key:
    ev.consider(e, key, cell)
else:
    DECODE_AND_STAGES
"""

TYPED: Final = """
try:
    d = _decode(e.data)
except _Misfit:
    d = None
    EXACTLY
if d is None:
    ev.consider(e, key, cell)
else:
    STAGES
"""

EXACTLY: Final = """
try:
    d = _decode_exactly(e.data)
except _Misfit:
    pass
"""

LOOK_UP: Final = """
try:
    VALUE
    found = FIND(value)
except _cel_Exception:
    hits += SCAN(ev, e, key, cell)
else:
    if FITS:
        hits += found[0](ev, e, key, cell, DATA)
"""

CANCEL: Final = """
if ID in nodes:
    CANCELLED(ev, e, key, cell)
"""

WAITS: Final = """
if ID in nodes:
    HIT
"""

_Meet = tuple[Callable[..., None], bool]
"""What meets an event, and whether it takes the data as inlined code decoded them."""


def poisoned(offset: int, event: Event, error: Exception) -> Poisoned:
    """What no rule can be blamed for: data that is no JSON, or a mistake of ours. Never swallowed."""
    return Poisoned(offset, event, f"{type(error).__name__}: {error}")


def mixed(insides: Mapping[str, Callable[..., None]], lateness: int) -> Callable[..., int]:
    """`(ev, events, offsets, i, n) → i`: the same as `run` for events whose types alternate, of the first control event
    or after `MANY`. `insides` is type → `Fused.inside`."""
    before = quote("if n - i > MANY:\n    n = i + MANY", MANY=ast.Constant(MANY))
    goes_on = quote(MIXED, CONTROL=ast.Constant(CONTROL))
    return _loop("mixed", goes_on, before, quote("inside(ev, e, key, cell, t)"), lateness, {"_insides": insides})


def _loop(
    title: str,
    goes_on: list[ast.stmt],
    before: list[ast.stmt],
    inside: list[ast.stmt],
    lateness: int,
    namespace: dict[str, object],
) -> Callable[..., int]:
    body = quote(
        RUN,
        BEFORE=before,
        GOES_ON=goes_on,
        INSIDE=inside,
        OUTSIDE=ast.Constant(OUTSIDE),
        MOVED=ast.BinOp(name("t"), ast.Sub(), ast.Constant(lateness)) if lateness else name("t"),
    )
    space = {**namespace, "_Poisoned": Poisoned, "_poisoned": poisoned}
    return function(title, "ev events offsets i n", body, space)


class Fused:
    """Generates the functions of one hearing. `lateness` is in microseconds."""

    def __init__(self, hearing: Hearing, projections: dict[str, Rows], lateness: int) -> None:
        self._hearing = hearing
        self._projections = projections
        self._lateness = lateness
        self._tables = tables(hearing.meets)
        self._paths = set(self._read())

    def run(self, own: bool) -> Callable[..., int]:
        """`(ev, events, offsets, i, n) → i` of the first event that is of another type. With `own` all listeners go by
        the subject, and are inlined; else every event asks which of its routes lead to its own key."""
        scope, inside = self._inside(own)
        return _loop("run", quote(SAME), quote("kind = events[i].type"), inside, self._lateness, scope.namespace)

    def inside(self, own: bool) -> Callable[..., None]:
        """`(ev, e, key, cell, t)`: what `run` does for one event, once its clock has moved."""
        scope, body = self._inside(own)
        body = [*body, *quote("if changed:\n    ev.dirty.add(key)")]
        return function("inside", "ev e key cell t", body, scope.namespace, "changed = False")

    def _inside(self, own: bool) -> tuple[Variables, list[ast.stmt]]:
        hearing = self._hearing
        struct = hearing.shape if hearing.shape is not None and hearing.shape.holds(self._paths) else None
        scope = Variables(self._projections, struct)
        inside: list[ast.stmt] = quote("ev.consider(e, key, cell)")
        if not (hearing.folds or hearing.cancels or hearing.meets or hearing.shape):
            inside = []
        elif own:
            subject = quote("e.subject" if hearing.upcaster is None else "subject")[0]
            assert isinstance(subject, ast.Expr)
            inside = quote(OWN, SUBJECT=subject.value, DECODE_AND_STAGES=self._data(scope, hearing.shape, struct))
        if inside and hearing.upcaster is not None:
            inside = [*self._versioned(hearing.upcaster, scope), *inside]
        return scope, inside

    def _versioned(self, upcaster: Upcaster, scope: Variables) -> list[ast.stmt]:
        scope.namespace.update(_fitting=upcaster.fitting, _newest=upcaster.names)
        said = f"x.get({ATTRIBUTE!r}) not in _newest"
        older = quote(f"x is None or {said}" if None not in upcaster.names else f"x is not None and {said}")[0]
        assert isinstance(older, ast.Expr)
        return quote(VERSIONED, OLDER=older.value)

    def one(self) -> Callable[..., None]:
        """`(ev, e, key, cell)`: folds and rules, no clocks, no derived events."""
        scope = Variables(self._projections)
        body = self._data(scope, None, None)
        body = [*body, *quote("if changed:\n    ev.dirty.add(key)")]
        return function("one", "ev e key cell", body, scope.namespace, "changed = False\nt = e.time")

    def _read(self) -> Iterator[cel.Path]:
        """What inlined code reads."""
        for fold in self._hearing.folds:
            for _, expression in fold.fields:
                yield from cel.paths(expression.node)
        for rule in self._hearing.meets:
            if rule.when is None:
                continue
            read = [rule.when, *(expression.node for _, expression in lets_read(rule, rule.when))]
            for node in (*read, *inputs_read(rule.tables, read)):
                for path in cel.paths(node):
                    yield ("event", *path[1:]) if path[0] == rule.own else path

    def _data(self, scope: Variables, shape: Shape | None, struct: Shape | None) -> list[ast.stmt]:
        """Decodes what inlined code reads of the data, validates what has a shape, then goes through the stages."""
        read = any(path[0] == "event" and path[1:2] in ((), ("data",)) for path in self._paths)
        scope.namespace["_decode"] = decode_data if shape is None else shape.quick
        stages = self._stages(scope, struct, read)
        if shape is None:
            return [*quote("d = _decode(e.data)"), *stages] if read else stages
        scope.namespace["_Misfit"] = msgspec.ValidationError
        if read and struct is None:
            scope.namespace["_decode_map"] = decode_data
            stages = [*quote("d = _decode_map(e.data)"), *stages]
        exactly = quote(EXACTLY) if shape.decode is not shape.quick else []
        scope.namespace["_decode_exactly"] = shape.decode
        return quote(TYPED, STAGES=stages, EXACTLY=exactly)

    def _stages(self, scope: Variables, struct: Shape | None, read: bool) -> list[ast.stmt]:
        scope.namespace["_undecoded"] = UNDECODED
        decoded = name("d" if read or struct is not None else "_undecoded")
        meets = [_meet(rule.trigger, struct) for rule in self._hearing.meets]
        stages: list[ast.stmt] = [part for fold in self._hearing.folds for part in inlined_fold(fold, scope)]
        for rule in self._hearing.cancels:
            assert isinstance(rule.trigger, After)
            stages += quote(CANCEL, ID=ast.Constant(rule.trigger.id), CANCELLED=scope.bind(rule.trigger.cancel))
        rules: list[ast.stmt] = []
        if self._tables:
            rules = self._indexed(scope, struct, decoded, meets)
        else:
            for rule, (meet, takes) in zip(self._hearing.meets, meets, strict=True):
                handed = decoded if takes else name("_undecoded")
                hit = quote("MEET(ev, e, key, cell, DATA)", MEET=scope.bind(meet), DATA=handed)
                rules += inlined_test(rule, rule.when, scope, _where_it_waits(rule, hit))
        return self._with_rows(stages, rules)

    def _with_rows(self, stages: list[ast.stmt], rules: list[ast.stmt]) -> list[ast.stmt]:
        """Rows are looked up once, between the folds, which change them, and the rules, which read them."""
        read = used(rules)
        found = [
            line
            for place, line in enumerate(ast.parse(row_prologue(self._projections)).body)
            if row_variable(place) in read
        ]
        needed = used([*stages, *found, *rules])
        before = [*(quote("rows = cell.rows") if "rows" in needed else ())]
        before += quote("copies = ev.copies") if "copies" in needed else ()
        before += quote("nodes = cell.nodes") if "nodes" in needed else ()
        return [*before, *stages, *found, *rules]

    def _indexed(
        self, scope: Variables, struct: Shape | None, decoded: ast.expr, meets: Sequence[_Meet]
    ) -> list[ast.stmt]:
        made: list[ast.stmt] = quote("hits = ()")
        looked_up: set[int] = set()
        for table in self._tables:
            looked_up.update(table.places)
            buckets = {
                key: Deferred(partial(self._bucket, residues, struct)) for key, residues in table.buckets.items()
            }
            bound = usable(table.bound, scope)
            made += quote(
                LOOK_UP,
                VALUE=[assign("value", emit.expression(table.node, scope))],
                SCAN=scope.bind(_scan([(place, self._hearing.meets[place]) for place in table.places])),
                FIND=scope.bind(finder(buckets, bound)),
                FITS=fits(bound, scope),
                DATA=decoded,
            )
        for place, rule in enumerate(self._hearing.meets):
            if place not in looked_up:
                made += inlined_test(rule, rule.when, scope, _where_it_waits(rule, _noted(place)))
        enact = scope.bind(_enact(meets))
        return [*made, *quote("if hits:\n    ENACT(hits, ev, e, key, cell, DATA)", ENACT=enact, DATA=decoded)]

    def _bucket(self, residues: Sequence[Residue], struct: Shape | None) -> Callable[..., None]:
        """`(ev, e, key, cell, d) → hits`, where `d` is the data as the function around it decoded them."""
        scope = Variables(self._projections, struct)
        tests: list[ast.stmt] = []
        for residue in residues:
            tests += inlined_test(residue.rule, residue.when, scope, _noted(residue.place))
        body = [*quote("hits = ()"), *self._with_rows([], tests), *quote("return hits")]
        return function("bucket", "ev e key cell d", body, scope.namespace, "t = e.time")


def _where_it_waits(rule: CompiledRule, hit: list[ast.stmt]) -> list[ast.stmt]:
    """`hit` for keys where the rule has something that the event may move on."""
    return hit if rule.waits is None else quote(WAITS, ID=ast.Constant(rule.waits), HIT=hit)


def _noted(place: int) -> list[ast.stmt]:
    return quote("hits += PLACES", PLACES=ast.Tuple([ast.Constant(place)], ast.Load()))


def _scan(rules: list[tuple[int, CompiledRule]]) -> Callable[..., tuple[int, ...]]:
    def scan(ev: Evaluation, event: Event, key: str, cell: Cell) -> tuple[int, ...]:
        """The path that the index reads cannot be evaluated: each rule says for itself what follows."""
        return tuple(place for place, rule in rules if rule.condition.judge(ev, event, key, cell))

    return scan


def _meet(trigger: Trigger, struct: Shape | None) -> _Meet:
    """Firings read data as a map, whatever inlined code reads; so do most triggers."""
    if struct is None:
        return trigger.meet, True
    typed = trigger.typed(struct) if isinstance(trigger, Typed) else None
    return (trigger.meet, False) if typed is None else (typed, True)


def _enact(meets: Sequence[_Meet]) -> Callable[..., None]:
    def enact(hits: tuple[int, ...], ev: Evaluation, event: Event, key: str, cell: Cell, data: Any) -> None:
        for place in sorted(hits):
            meet, takes = meets[place]
            meet(ev, event, key, cell, data if takes else UNDECODED)

    return enact
