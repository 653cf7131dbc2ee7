"""`over: {session: 30m}`: events with no longer gaps between them, which fire at last + gap (RULES.md §3 and §9).

An event belongs to a session that it is no further away from than the gap. A late one may touch two, which are one from
then on, with the cause and the place in the order of opening of the older one.
"""

from __future__ import annotations

from typing import Any

from rules.nodes.evaluating import Evaluating
from rules.nodes.summary import Summaries
from rules.nodes.waiting import DUE, ORDER, Entry
from rules.nodes.window_closing import CAUSE, EVENT, LAST, LET, START, SUMMARY, ClosingWindow, Met
from streams.state import Cell


class SessionWindow(ClosingWindow):
    def __init__(self, id: str, rule: str, gap: int, summaries: Summaries, whole: bool) -> None:
        super().__init__(id, rule, summaries, whole)
        self._gap = gap
        """Microseconds."""

    def enter(self, evaluation: Evaluating, waiter: Any, key: str, cell: Cell, met: Met) -> None:
        time, gap = met.event.time, self._gap
        entries: list[Entry] = cell.nodes.get(self.id, [])
        touched = [entry for entry in entries if entry[START] - gap <= time <= entry[LAST] + gap]
        if not touched:
            if time + gap >= evaluation.now(cell):
                order = evaluation.order(cell)
                self._put(evaluation, waiter, key, cell, self._new(time, time + gap, order, met))
                evaluation.dirty.add(key)
            return
        evaluation.dirty.add(key)
        session = touched[0]
        before = session[DUE], session[ORDER]
        self._grow(evaluation, session, met)
        for other in touched[1:]:
            entries.remove(other)
            self._join(evaluation, session, other)
        session[START] = min(session[START], time)
        session[DUE] = session[LAST] + gap
        if (session[DUE], session[ORDER]) != before:
            entries.remove(session)
            self._put(evaluation, waiter, key, cell, session)

    def _join(self, evaluation: Evaluating, session: Entry, other: Entry) -> None:
        """`other` is later: between them there was a gap."""
        session[START] = min(session[START], other[START])
        if other[LAST] >= session[LAST]:
            session[LAST], session[EVENT], session[LET] = other[LAST], other[EVENT], other[LET]
        if other[ORDER] < session[ORDER]:
            session[ORDER], session[CAUSE] = other[ORDER], other[CAUSE]
        self._merge(evaluation, session, other[SUMMARY])
