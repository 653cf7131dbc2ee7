"""The events that an exact window holds, as columns: their times, if they go by time, and the values of each argument.

They lie in a cell as `[[due, order], first column, before, older, sums, tallies, other columns…]`. The newest
elements are plain lists, a list a column. Where there are many, older ones lie before them in `older`, in parts of
about `PART`, each `[count, last time, columns, extremes]` with its columns as msgpack bytes: a commit copies those
and encodes few objects. A part from which elements have left stays open, as lists. It is flat because nearly every
event of a key with a window comes here, and each further list is a place in memory that no cache holds.

`before` elements at the beginning lie before what is looked at; of many elements `sums` (`rules.nodes.exact_sum`)
and `tallies` (a dict for each argument of `distinct`: how often each value occurs) are those of the others,
kept up to date as elements come and go. Of few nothing is kept, because they are quickly added up; but there are sums
also where a number is too large for that. Least and greatest are found by the extremes of the parts. So what an event
costs does not grow with the window, but for events out of order, which cost as much as the elements that lie between
them and their neighbours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final

import msgspec

from rules.cel.errors import CelEvaluationError
from rules.nodes import exact_sum
from rules.nodes.kept_column import greatest, least, sort

FIRST, BEFORE, OLDER, SUMS, TALLIES, OTHERS = range(1, 7)
COUNT, LAST, PACKED, EXTREMES = 0, 1, 2, 3
PART: Final = 128

State = list[Any]
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[list[Any]]).decode


class Elements:
    """How the elements of one window are kept: `summed`, `compared` and `tallied` are the columns that aggregates add
    up, compare, and tell apart. The first column holds the times where it is `timed`."""

    def __init__(
        self, columns: int, timed: bool, summed: tuple[int, ...], compared: tuple[int, ...], tallied: tuple[int, ...]
    ) -> None:
        self.columns = columns
        self.timed = timed
        self.summed = summed
        self.compared = compared
        self.tallied = tallied

    def empty(self, due: int, order: int) -> State:
        state: State = [[due, order], [], 0, None, None, None]
        for _ in range(1, self.columns):
            state.append([])
        return state

    def total(self, state: State) -> int:
        total = len(state[FIRST])
        if state[OLDER] is not None:
            total += sum(part[COUNT] for part in state[OLDER])
        return total

    def upto(self, state: State, time: int) -> int:
        """How many elements are at that time or earlier."""
        newest = state[FIRST]
        if newest and newest[-1] <= time:
            return self.total(state)
        passed = 0
        for part in state[OLDER] or ():
            if part[LAST] > time:
                return int(passed + bisect_right(_columns(part)[0], time))
            passed += part[COUNT]
        return int(passed + bisect_right(newest, time))

    # ------------------------------------------------------------ coming and going

    def insert(self, state: State, row: list[Any]) -> None:
        """Behind those of the same time."""
        columns, older = _newest(state), state[OLDER]
        newest = columns[0]
        place = len(newest)
        if self.timed and newest and row[0] < newest[-1]:
            place = bisect_right(newest, row[0])
        if place == 0 and older is not None and row[0] < older[-1][LAST]:
            index = self._insert_older(older, row)
        else:
            for column, value in zip(columns, row, strict=True):
                column.insert(place, value)
            # where it lies among all matters only if some are not looked at
            index = place
            if state[BEFORE] and older is not None:
                index += sum(part[COUNT] for part in older)
        if index < state[BEFORE]:
            state[BEFORE] += 1
        else:
            self._enter(state, [[value] for value in row], 1)
        if state[SUMS] is None and not all(exact_sum.plain(row[column]) for column in self.summed):
            self._add_up(state)
        if len(newest) >= 2 * PART:
            self._pack(state)

    def drop(self, state: State, count: int) -> None:
        """The first ones leave."""
        while count:
            older = state[OLDER]
            columns = _newest(state)
            if older is not None:
                columns = older[0][PACKED] = _columns(older[0])
            leaving = min(count, len(columns[0]))
            count -= leaving
            before = state[BEFORE]
            if leaving > before:
                self._enter(state, [column[before:leaving] for column in columns], -1)
            state[BEFORE] = max(0, before - leaving)
            for column in columns:
                del column[:leaving]
            if older is None:
                continue
            older[0][COUNT] -= leaving
            older[0][EXTREMES] = None
            if not columns[0]:
                del older[0]
                if not older:
                    state[OLDER] = state[SUMS] = state[TALLIES] = None
                    newest = _newest(state)
                    if not all(exact_sum.plain(value) for column in self.summed for value in newest[column]):
                        self._add_up(state)

    def look_from(self, state: State, index: int) -> None:
        """What lies before that place is no longer looked at, and the rest is."""
        before = state[BEFORE]
        if index > before:
            self._enter(state, self.rows(state, before, index), -1)
        elif index < before:
            self._enter(state, self.rows(state, index, before), 1)
        state[BEFORE] = index

    def _enter(self, state: State, columns: list[list[Any]], sign: int) -> None:
        """These elements come under what is looked at, or with sign -1 leave it."""
        sums = state[SUMS]
        if sums is not None:
            for place, column in enumerate(self.summed):
                for value in columns[column]:
                    exact_sum.put(sums, 2 * place, value, sign)
        tallies = state[TALLIES]
        if tallies is None:
            return
        for tally, column in zip(tallies, self.tallied, strict=True):
            for value in columns[column]:
                name = sort(value)
                held = tally.get(name, 0) + sign
                if held:
                    tally[name] = held
                else:
                    del tally[name]

    def _add_up(self, state: State) -> None:
        """From here on there are running sums."""
        held = self.rows(state, state[BEFORE], self.total(state))
        sums = state[SUMS] = [0, 0] * len(self.summed)
        for place, column in enumerate(self.summed):
            for value in held[column]:
                exact_sum.put(sums, 2 * place, value)

    def _pack(self, state: State) -> None:
        columns, older = _newest(state), state[OLDER]
        if older is None:
            older = state[OLDER] = []
        older.append(self._packed([column[:PART] for column in columns]))
        for column in columns:
            del column[:PART]
        if state[SUMS] is None and self.summed:
            self._add_up(state)
        if state[TALLIES] is None and self.tallied:
            held = self.rows(state, state[BEFORE], self.total(state))
            state[TALLIES] = [{} for _ in self.tallied]
            for tally, place in zip(state[TALLIES], self.tallied, strict=True):
                for value in held[place]:
                    name = sort(value)
                    tally[name] = tally.get(name, 0) + 1

    def _packed(self, columns: list[list[Any]]) -> list[Any]:
        extremes: list[Any] | None = []
        try:
            for column in self.compared:
                assert extremes is not None
                extremes += (least(columns[column]), greatest(columns[column]))
        except CelEvaluationError:
            extremes = None  # of several kinds: whoever looks at the values finds that
        last = columns[0][-1] if self.timed else 0
        return [len(columns[0]), last, _encode(columns), extremes]

    def _insert_older(self, older: list[Any], row: list[Any]) -> int:
        at = next(place for place, part in enumerate(older) if part[LAST] > row[0])
        passed = sum(part[COUNT] for part in older[:at])
        columns = _columns(older[at])
        place = bisect_right(columns[0], row[0])
        for column, value in zip(columns, row, strict=True):
            column.insert(place, value)
        if len(columns[0]) < 2 * PART:
            older[at] = self._packed(columns)
        else:
            older[at : at + 1] = (
                self._packed([column[:PART] for column in columns]),
                self._packed([column[PART:] for column in columns]),
            )
        return int(passed + place)

    # ------------------------------------------------------------ looking

    def rows(self, state: State, start: int, stop: int) -> list[list[Any]]:
        """The columns of the elements from one place to another."""
        found: list[list[Any]] = [[] for _ in range(self.columns)]
        for columns, first, last in _pieces(state, start, stop):
            for column, piece in zip(found, columns, strict=True):
                column += piece[first:last]
        return found

    def column(self, state: State, column: int, start: int, stop: int) -> list[Any]:
        found: list[Any] = []
        for columns, first, last in _pieces(state, start, stop):
            found += columns[column][first:last]
        return found

    def extreme(self, state: State, column: int, start: int, stop: int, pick: Callable[[list[Any]], Any]) -> Any:
        """`least` or `greatest` of a column. Raises CelEvaluationError where values are of several kinds."""
        if state[OLDER] is None:
            return pick(_newest(state)[column][start:stop])
        known = 2 * self.compared.index(column) + (pick is greatest)
        picked: list[Any] = []
        passed = 0
        for part in state[OLDER]:
            first, last = start - passed, stop - passed
            passed += part[COUNT]
            if first <= 0 and last >= part[COUNT] and part[EXTREMES] is not None:
                picked.append(part[EXTREMES][known])
            elif first < part[COUNT] and last > 0:
                picked.append(pick(_columns(part)[column][max(0, first) : last]))
        if stop > passed:
            picked.append(pick(_newest(state)[column][max(0, start - passed) : stop - passed]))
        return pick(picked)


def _newest(state: State) -> list[list[Any]]:
    """The columns of the newest elements."""
    return [state[FIRST], *state[OTHERS:]]


def _columns(part: list[Any]) -> list[list[Any]]:
    packed = part[PACKED]
    return packed if packed.__class__ is list else _decode(packed)


def _pieces(state: State, start: int, stop: int) -> list[tuple[list[list[Any]], int, int]]:
    """(columns, from, to) of each piece of the elements between two places."""
    found: list[tuple[list[list[Any]], int, int]] = []
    passed = 0
    for part in state[OLDER] or ():
        if start < passed + part[COUNT] and stop > passed:
            found.append((_columns(part), max(0, start - passed), stop - passed))
        passed += part[COUNT]
    if stop > passed:
        found.append((_newest(state), max(0, start - passed), stop - passed))
    return found
