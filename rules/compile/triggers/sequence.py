"""`sequence` and `within`: one event after the other (RULES.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rules.compile.event_types import MAX_TYPES, fits
from rules.compile.firing import Firing
from rules.compile.schema import Shape
from rules.compile.triggers.trigger import holds
from rules.compile.variables import UNDECODED, Frame
from rules.nodes.kept_event import Keeper, Met
from rules.nodes.matches import COUNT, ID, KEPT, REACHED, SOURCE, STEP, Matches, order_of
from rules.nodes.waiting import DUE, ORDER, Entry
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter

Condition = Callable[[Frame], bool]


class Ending(NamedTuple):
    """`not`: what ends matches that wait for the step behind it."""

    on: tuple[str, ...]
    when: Condition | None


class Taking(NamedTuple):
    """A step."""

    on: tuple[str, ...]
    when: Condition | None
    times: int
    endings: tuple[Ending, ...]
    """Those that stand before it."""
    keeper: Keeper | None
    """Of its newest event, where something is kept of it."""


class Heard(NamedTuple):
    """What an event of some type means to matches that wait for a step."""

    endings: tuple[Ending, ...]
    taken: bool


class InSequence:
    """Waits itself: `expire` forgets matches whose time is over."""

    def __init__(
        self,
        rule: str,
        matches: Matches,
        rank: int,
        steps: Sequence[Taking],
        let_values: Callable[[Frame], dict[str, Any]] | None,
        when: Condition | None,
        firing: Firing,
    ) -> None:
        """`let_values` and `when` are evaluated when a match is complete; that of the first step was evaluated before
        `meet`."""
        self.id = matches.id
        self.rank = rank
        self.node_ids = {"sequence": matches.id}
        self._rule = rule
        self._matches = matches
        self._steps = steps
        self._let_values = let_values
        self._when = when
        self._firing = firing
        self._heard: dict[str, list[Heard]] = {}
        """Type → for each step. Types come from outside, so the map is bounded."""

    @property
    def waiters(self) -> Sequence[Waiter]:
        return (self,)

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        """Opens a match."""
        matches = self._matches
        if event.time + matches.within < evaluation.now(cell):
            return
        step = self._steps[0]
        if step.times > 1:
            entry = matches.open(cell, event, 0, 1, evaluation.order)
        else:
            entry = matches.open(cell, event, 1, 0, evaluation.order)
            if step.keeper is not None:
                entry[KEPT].append(step.keeper.keep(event, data))
        if matches.capped(cell):
            evaluation.count(f"matches_capped|{self._rule}")
            evaluation.rearm(cell)
        elif entry[DUE] < cell.due:
            cell.due = entry[DUE]
        evaluation.dirty.add(key)
        evaluation.opened(self, key, entry)

    def typed(self, shape: Shape) -> Callable[..., None] | None:
        keeper = self._steps[0].keeper
        if keeper is None or self._steps[0].times > 1:
            return None
        found = None if keeper.fields is None else shape.whole(keeper.fields)
        if not found:
            return None
        read = tuple(found.items())

        def meet(evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any) -> None:
            self.meet(evaluation, event, key, cell, {field: getattr(data, attribute) for field, attribute in read})

        return meet

    def move(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        """Looks at all matches of the key; those that this event completes fire."""
        heard = self._heard.get(event.type) or self._hear(event.type)
        time = event.time
        frame = Frame(event, key, cell, time, evaluation.copies, data)
        over: set[int] = set()
        complete: list[Entry] = []
        moved = False
        for entry in cell.nodes[self.id]:
            endings, taken = heard[entry[STEP]]
            if not (taken or endings) or not entry[REACHED] <= time <= entry[DUE]:
                continue
            step = self._steps[entry[STEP]]
            if entry[KEPT]:
                frame.named = [Met(None, kept) for kept in entry[KEPT]]
            if (
                endings
                and not entry[COUNT]
                and any(holds(evaluation, self._rule, each.when, frame) for each in endings)
            ):
                over.add(entry[ORDER])
                continue
            if not taken or not holds(evaluation, self._rule, step.when, frame):
                continue
            moved = True
            entry[REACHED] = time
            entry[COUNT] += 1
            if entry[COUNT] < step.times:
                continue
            entry[STEP] += 1
            entry[COUNT] = 0
            if entry[STEP] == len(self._steps):
                over.add(entry[ORDER])
                complete.append(entry)
            elif step.keeper is not None:
                entry[KEPT].append(step.keeper.keep(event, data))
        if over:
            self._matches.end(cell, over)
            evaluation.rearm(cell)
        elif not moved:
            return
        evaluation.dirty.add(key)
        for entry in sorted(complete, key=order_of):
            self._complete(evaluation, entry, event, key, cell, frame)

    def expire(self, evaluation: Evaluation, key: str, cell: Cell) -> None:
        self._matches.forget(cell)
        evaluation.rearm(cell)
        evaluation.dirty.add(key)

    def _complete(self, evaluation: Evaluation, entry: Entry, event: Event, key: str, cell: Cell, seen: Frame) -> None:
        frame = Frame(event, key, cell, event.time, evaluation.copies, seen.data)
        frame.named = [Met(None, kept) for kept in entry[KEPT]]
        frame.cause = entry[ID]
        if self._let_values is not None:
            frame.lets = self._let_values(frame)
        if holds(evaluation, self._rule, self._when, frame):
            self._firing.fire(evaluation, frame, [entry[SOURCE], entry[ID]], [event.source, event.id])

    def _hear(self, type: str) -> list[Heard]:
        def hears(on: Sequence[str]) -> bool:
            return any(fits(pattern, type) for pattern in on)

        if len(self._heard) >= MAX_TYPES:
            self._heard.clear()
        made = [Heard(tuple(each for each in step.endings if hears(each.on)), hears(step.on)) for step in self._steps]
        self._heard[type] = made
        return made


class Moving:
    """The trigger of the events that move matches on."""

    waiters: Final[Sequence[Waiter]] = ()

    def __init__(self, sequence: InSequence) -> None:
        self.node_ids: dict[str, str] = {}
        self.meet = sequence.move
