"""The exact sliding window's trigger, with generated code for what nearly all events are.

That is an event at its key's clock, in a window of few elements none of which is later: old ones leave, it enters, and
`having` is evaluated over plain lists, without a frame. Everything else goes the general way (`Looking.meet`). Both do
the same to the node's state; a property test holds them equal to the same oracle. There is another such function for
data that were decoded as a struct (`typed`).
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rules import cel
from rules.aggregates import Aggregate, Aggregates
from rules.cel import emit, types
from rules.cel.numbers import LEAST, MOST
from rules.compile.code import assign, function, name, quote
from rules.compile.firing import Firing
from rules.compile.rows import FAR
from rules.compile.schema import Shape
from rules.compile.triggers.looking import Looking, valued
from rules.compile.variables import UNDECODED, Frame, Variables, decode_data
from rules.model.action import templates
from rules.nodes.exact_sum import EXACT, plain_mean, plain_total
from rules.nodes.exact_view import ExactView
from rules.nodes.kept import give
from rules.nodes.kept_column import admitted, different, greatest, least
from rules.nodes.window_elements import BEFORE, FIRST, OLDER, OTHERS, PART, SUMS, State
from rules.nodes.window_sliding import SlidingWindow
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation

DECODED: Final = "d = _decode(e.data) if data is _undecoded else data"
MEET: Final = f"""
clock = cell.clock
if clock < ev.tick:
    clock = ev.tick
if t != clock or ev.stop is not None:
    return SLOWLY(ev, e, key, cell, DATA)
VALUES
state = cell.nodes.get(ID)
if state is None:
    state = OPENED(ev, key, cell, t)
    times = state[{FIRST}]
else:
    times = state[{FIRST}]
    if state[{OLDER}] is not None or state[{SUMS}] is not None or state[{BEFORE}]:
        return SLOWLY(ev, e, key, cell, DATA)
    if t < times[-1] or _len(times) >= TOP:
        return SLOWLY(ev, e, key, cell, DATA)
    if times[0] <= t - SPAN:
        gone = UPTO(times, t - SPAN)
        del times[:gone]
        LEAVE
    ev.dirty.add(key)
times.append(t)
ENTER
HAVING
"""
VALUES: Final = """
try:
    EVALUATED
except _cel_Exception:
    return SLOWLY(ev, e, key, cell, DATA)
"""
ADMIT: Final = f"""
if VALUE.__class__ is not _str:
    if VALUE.__class__ is _float:
        if not -{FAR!r} < VALUE < {FAR!r} or VALUE.is_integer():
            TARGET = ADMITTED(VALUE)
    elif VALUE.__class__ is not _int or not {LEAST} <= VALUE <= {MOST}:
        TARGET = ADMITTED(VALUE)
"""
ADMIT_PLAIN: Final = f"""
if VALUE.__class__ is _float:
    if VALUE.is_integer():
        TARGET = _int(VALUE)
elif VALUE.__class__ is not _int:
    return SLOWLY(ev, e, key, cell, DATA)
if not -{EXACT} <= VALUE <= {EXACT}:
    return SLOWLY(ev, e, key, cell, DATA)
"""
"""Of numbers that are added up."""
HAVING: Final = """
try:
    TESTED
except _cel_Exception:
    return LOOK(ev, e, key, cell, DATA, state)
if hit:
    HIT(ev, e, key, cell, DATA, state)
"""


class Sliding(Looking):
    def __init__(
        self,
        rule: str,
        window: SlidingWindow,
        arguments: Callable[[Frame], list[Any]],
        having: Callable[[Frame], bool] | None,
        aggregates: Aggregates,
        let_values: Callable[[Frame], dict[str, Any]] | None,
        firing: Firing,
    ) -> None:
        super().__init__(
            rule, window, (window,), arguments, having, aggregates.asked, aggregates.found, let_values, firing
        )
        self._sliding = window
        self._aggregates = aggregates
        read = {name for action in aggregates.then for each in templates(action) for name in each.names}
        self._rendered = [each for each in aggregates.found if each.name in read]
        self._slowly = super().meet
        self._generated: dict[Shape | None, Callable[..., None]] = {}

    @property
    def meet(self) -> Callable[..., None]:
        return self._made(None)

    def typed(self, shape: Shape) -> Callable[..., None] | None:
        read = [*self._aggregates.columns]
        if self._aggregates.having is not None:
            read.append(self._aggregates.having.node)
        return self._made(shape) if shape.holds(path for node in read for path in cel.paths(node)) else None

    def _made(self, shape: Shape | None) -> Callable[..., None]:
        made = self._generated.get(shape)
        if made is None:
            made = self._generated[shape] = self._generate(shape)
        return made

    def _look(self, ev: Evaluation, event: Event, key: str, cell: Cell, data: Any, state: State) -> None:
        self.look(ev, Frame(event, key, cell, event.time, ev.copies, data), self._whole(state))

    def _hit(self, ev: Evaluation, event: Event, key: str, cell: Cell, data: Any, state: State) -> None:
        """`having` holds."""
        frame = Frame(event, key, cell, event.time, ev.copies, data)
        if self._let_values is not None:
            frame.lets = self._let_values(frame)
        if self._rendered:
            frame.aggregates = valued(self._whole(state), self._rendered)
        self._firing.fire(ev, frame, None, [event.source, event.id])

    def _whole(self, state: State) -> ExactView:
        return ExactView(self._sliding.elements, state, 0, len(state[FIRST]))

    # ------------------------------------------------------------ generated code

    def _generate(self, shape: Shape | None) -> Callable[..., None]:
        """With a shape `data` is its struct, and who needs more than its fields decodes the event's."""
        window = self._sliding
        scope = Variables({}, shape)
        scope.namespace.update(_decode=decode_data, _undecoded=UNDECODED, _len=len, _int=int, _float=float, _str=str)
        handed = name("data" if shape is None else "_undecoded")
        slowly = scope.bind(self._slowly)
        values = self._values(scope, slowly, handed)
        columns = [f"state[{OTHERS + place}]" for place in range(len(self._aggregates.columns))]
        body = quote(
            MEET,
            VALUES=quote(VALUES, EVALUATED=values, SLOWLY=slowly, DATA=handed) if values else [],
            SLOWLY=slowly,
            DATA=handed,
            ID=ast.Constant(window.id),
            OPENED=scope.bind(window.opened),
            TOP=ast.Constant(min(2 * PART - 1, window.limit)),
            SPAN=ast.Constant(window.span),
            UPTO=scope.bind(bisect_right),
            LEAVE=quote("\n".join(f"del {column}[:gone]" for column in columns)),
            ENTER=quote("\n".join(f"{column}.append(value{place})" for place, column in enumerate(columns))),
            HAVING=self._having_code(scope, handed),
        )
        prologue = f"{DECODED if shape is None else 'd = data'}\nt = e.time"
        return function(f"rule {self._rule} over", "ev e key cell data", body, scope.namespace, prologue)

    def _values(self, scope: Variables, slowly: ast.expr, handed: ast.expr) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for place, node in enumerate(self._aggregates.columns):
            variable = f"value{place}"
            functions = tuple(sorted(self._aggregates.of_column(place)))
            summed = not {"sum", "avg"}.isdisjoint(functions)
            made.append(assign(variable, emit.expression(node, scope)))
            made += quote(
                ADMIT_PLAIN if summed else ADMIT,
                VALUE=name(variable),
                TARGET=ast.Name(variable, ast.Store()),
                ADMITTED=scope.bind(partial(admitted, functions=functions)),
                SLOWLY=slowly,
                DATA=handed,
            )
        return made

    def _having_code(self, scope: Variables, handed: ast.expr) -> list[ast.stmt]:
        hit, look = scope.bind(self._hit), scope.bind(self._look)
        having = self._aggregates.having
        if having is None:
            return quote("HIT(ev, e, key, cell, DATA, state)", HIT=hit, DATA=handed)
        known = {each.name for each in self._aggregates.asked} | {"event", "key", "now"}
        if not cel.names(having.node) <= known:
            return quote("LOOK(ev, e, key, cell, DATA, state)", LOOK=look, DATA=handed)
        for each in self._aggregates.asked:
            self._declare(scope, each)
        tested = [assign("hit", emit.expression(having.node, scope, condition=True))]
        return quote(HAVING, TESTED=tested, LOOK=look, HIT=hit, DATA=handed)

    def _declare(self, scope: Variables, aggregate: Aggregate) -> None:
        """Its value over the plain columns of a small window."""
        count = "_len(times)"
        if aggregate.column is None:
            code, kind = count, types.INTEGER
        else:
            column = f"state[{OTHERS + aggregate.column}]"
            code, kind = {
                "sum": (f"_total({column})", types.NUMBER),
                "avg": (f"_mean({column})", types.NUMBER),
                "min": (f"_give(_least({column}))", types.ANY),
                "max": (f"_give(_greatest({column}))", types.ANY),
                "distinct": (f"_different({column})", types.INTEGER),
                "first": (f"_give({column}[0])", types.ANY),
                "last": (f"_give({column}[-1])", types.ANY),
            }[aggregate.function]
        scope.namespace.update(
            _total=plain_total, _mean=plain_mean, _give=give, _least=least, _greatest=greatest, _different=different
        )
        scope.declare((aggregate.name,), ast.parse(code, mode="eval").body, kind)
