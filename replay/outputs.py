"""Compares the outputs of a replay with those stored, one by one as they are made, so that the first difference is
found at its event and nothing has to be kept.

An output has its number for ever, so both are compared place by place; only to say what is wrong are neighbours looked
at: an output that comes a little later was not changed, another is missing or too much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from replay.difference import Difference, DifferenceFound, output_difference
from streams.log import Log
from streams.outputs import Command, Output, encode

PAGE: Final = 2_000


class OutputsCompared:
    """Give it all outputs of a partition in order, then `end`. Both raise DifferenceFound at the first difference."""

    def __init__(self, log: Log, partition: int) -> None:
        self._log = log
        self._partition = partition
        self._stored: deque[Output] = deque()
        self._read = 0
        self.count = 0
        self.commands = 0

    def committed(self, outputs: Sequence[Output]) -> None:
        for place, expected in enumerate(outputs):
            if not self._stored:
                self._read_on()
            if not self._stored or encode([self._stored[0]]) != encode([expected]):
                raise DifferenceFound(self._difference(outputs[place:]))
            self._stored.popleft()
            self.count += 1
            self.commands += isinstance(expected, Command)

    def end(self) -> None:
        """After the last event: what is stored beyond was not decided by the replay."""
        if not self._stored:
            self._read_on()
        if self._stored:
            raise DifferenceFound(self._too_much())

    def _read_on(self) -> None:
        first, outputs = self._log.outputs(self._partition, self._read, PAGE)
        if outputs:
            self._read = first + len(outputs) - 1
            self._stored.extend(outputs)

    def _difference(self, expected: Sequence[Output]) -> Difference:
        number, wanted = self.count + 1, expected[0]
        if not self._stored:
            return output_difference(self._partition, number, wanted, None, "was decided by the replay and is missing")
        found = self._stored[0]
        if _same(wanted, found):
            return output_difference(self._partition, number, wanted, found, "is not as it was decided")
        if any(_same(wanted, later) for later in self._stored):
            return self._too_much()
        if any(_same(later, found) for later in expected[1:]):
            return output_difference(self._partition, number, wanted, None, "was decided by the replay and is missing")
        return output_difference(self._partition, number, wanted, found, "is not what is stored in its place")

    def _too_much(self) -> Difference:
        return output_difference(
            self._partition, self.count + 1, None, self._stored[0], "is stored, but no event led to it"
        )


def _same(one: Output, other: Output) -> bool:
    """Whether both are meant to be one output."""
    if isinstance(one, Command) and isinstance(other, Command):
        return one.id == other.id
    return encode([one]) == encode([other])
