"""The exact sliding window's trigger, with generated code for what nearly all events are.

That is an event at its key's clock, in a window of few elements none of which is later: old ones leave, it enters, and
`having` is evaluated over plain lists, without a frame. Everything else goes the general way (`Looking.meet`). Both do
the same to the node's state; a property test holds them equal to the same oracle.
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
from rules.compile.triggers.looking import Looking, valued
from rules.compile.variables import UNDECODED, Frame, Variables, decode_data
from rules.model.action import templates
from rules.nodes import exact_sum
from rules.nodes.exact_view import ExactView
from rules.nodes.kept import give
from rules.nodes.kept_column import admitted, different, greatest, least
from rules.nodes.window_elements import BEFORE, FIRST, OLDER, OTHERS, PART, SUMS, State
from rules.nodes.window_sliding import SlidingWindow
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation

PROLOGUE: Final = """
    d = _decode(e.data) if data is _undecoded else data
    t = e.time
"""
MEET: Final = f"""
clock = cell.clock
if clock < ev.tick:
    clock = ev.tick
if t != clock or ev.stop is not None:
    return SLOWLY(ev, e, key, cell, data)
VALUES
state = cell.nodes.get(ID)
if state is None:
    state = OPENED(ev, key, cell, t)
    times = state[{FIRST}]
else:
    times = state[{FIRST}]
    if state[{OLDER}] is not None or state[{BEFORE}] or t < times[-1] or _len(times) >= TOP:
        return SLOWLY(ev, e, key, cell, data)
    if times[0] <= t - SPAN:
        DROP
    ev.dirty.add(key)
times.append(t)
ENTER
HAVING
"""
VALUES: Final = """
try:
    EVALUATED
except _cel_Exception:
    return SLOWLY(ev, e, key, cell, data)
"""
ADMIT: Final = f"""
if VALUE.__class__ is _float:
    if not -{FAR!r} < VALUE < {FAR!r} or VALUE.is_integer():
        TARGET = ADMITTED(VALUE)
elif VALUE.__class__ is not _int or not {LEAST} <= VALUE <= {MOST}:
    TARGET = ADMITTED(VALUE)
"""
ADMIT_TEXT: Final = "if VALUE.__class__ is not _str:" + ADMIT.replace("\n", "\n    ")
HAVING: Final = """
try:
    TESTED
except _cel_Exception:
    return LOOK(ev, e, key, cell, data, state)
if hit:
    HIT(ev, e, key, cell, data, state)
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
        self._generated: Callable[..., None] | None = None

    @property
    def meet(self) -> Callable[..., None]:
        if self._generated is None:
            self._generated = self._generate()
        return self._generated

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

    def _generate(self) -> Callable[..., None]:
        window, elements = self._sliding, self._sliding.elements
        scope = Variables({})
        scope.namespace.update(_decode=decode_data, _undecoded=UNDECODED, _len=len, _int=int, _float=float, _str=str)
        slowly = scope.bind(self._slowly)
        values = self._values(scope)
        span, upto = ast.Constant(window.span), scope.bind(bisect_right)
        drop = quote("GONE(state, UPTO(times, t - SPAN))", GONE=scope.bind(elements.drop), UPTO=upto, SPAN=span)
        if elements.columns == 1:
            drop = quote("del times[: UPTO(times, t - SPAN)]", UPTO=upto, SPAN=span)
        enter: list[ast.stmt] = []
        for place in range(len(self._aggregates.columns)):
            enter += quote(f"state[{OTHERS + place}].append(value{place})")
        for place, column in enumerate(elements.summed):
            put = scope.bind(exact_sum.put)
            enter += quote(f"PUT(state[{SUMS}], {2 * place}, value{column - 1})", PUT=put)
        body = quote(
            MEET,
            VALUES=quote(VALUES, EVALUATED=values, SLOWLY=slowly) if values else [],
            SLOWLY=slowly,
            ID=ast.Constant(window.id),
            OPENED=scope.bind(window.opened),
            TOP=ast.Constant(min(2 * PART - 1, window.limit)),
            SPAN=span,
            DROP=drop,
            ENTER=enter,
            HAVING=self._having_code(scope),
        )
        return function(f"rule {self._rule} over", "ev e key cell data", body, scope.namespace, PROLOGUE)

    def _values(self, scope: Variables) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for place, node in enumerate(self._aggregates.columns):
            variable = f"value{place}"
            functions = tuple(sorted(self._aggregates.of_column(place)))
            numeric = bool({"sum", "avg"} & set(functions))
            made.append(assign(variable, emit.expression(node, scope)))
            made += quote(
                ADMIT if numeric else ADMIT_TEXT,
                VALUE=name(variable),
                TARGET=ast.Name(variable, ast.Store()),
                ADMITTED=scope.bind(partial(admitted, functions=functions)),
            )
        return made

    def _having_code(self, scope: Variables) -> list[ast.stmt]:
        hit, look = scope.bind(self._hit), scope.bind(self._look)
        having = self._aggregates.having
        if having is None:
            return quote("HIT(ev, e, key, cell, data, state)", HIT=hit)
        known = {each.name for each in self._aggregates.asked} | {"event", "key", "now"}
        if not cel.names(having.node) <= known:
            return quote("LOOK(ev, e, key, cell, data, state)", LOOK=look)
        for each in self._aggregates.asked:
            self._declare(scope, each)
        tested = [assign("hit", emit.expression(having.node, scope, condition=True))]
        return quote(HAVING, TESTED=tested, LOOK=look, HIT=hit)

    def _declare(self, scope: Variables, aggregate: Aggregate) -> None:
        """Its value over the plain columns of a small window."""
        count = "_len(times)"
        if aggregate.column is None:
            code, kind = count, types.INTEGER
        else:
            column = f"state[{OTHERS + aggregate.column}]"
            sums = 0
            if aggregate.function in ("sum", "avg"):
                sums = 2 * self._sliding.elements.summed.index(aggregate.column + 1)
            code, kind = {
                "sum": (f"_total(state[{SUMS}], {sums})", types.NUMBER),
                "avg": (f"_total(state[{SUMS}], {sums}, {count})", types.NUMBER),
                "min": (f"_give(_least({column}))", types.ANY),
                "max": (f"_give(_greatest({column}))", types.ANY),
                "distinct": (f"_different({column})", types.INTEGER),
                "first": (f"_give({column}[0])", types.ANY),
                "last": (f"_give({column}[-1])", types.ANY),
            }[aggregate.function]
        scope.namespace.update(
            _total=exact_sum.total, _give=give, _least=least, _greatest=greatest, _different=different
        )
        scope.declare((aggregate.name,), ast.parse(code, mode="eval").body, kind)
