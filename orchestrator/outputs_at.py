"""The outputs of one event, found by halving: they lie in the order of their events."""

from __future__ import annotations

from typing import Final

from streams.log import Log
from streams.outputs import Output

PAGE: Final = 500


def outputs_at(log: Log, partition: int, offset: int) -> list[tuple[int, Output]]:
    """(number, output) of what the step at this offset put out. Those of an event whose key was blocked lie where it
    was freed, and are not found. Raises LogError."""
    low = 0
    high = next(status.outputs for status in log.status() if status.partition == partition)
    while low < high:
        middle = (low + high) // 2
        _, outputs = log.outputs(partition, middle, 1)
        if not outputs or outputs[0].offset >= offset:
            high = middle
        else:
            low = middle + 1
    found: list[tuple[int, Output]] = []
    while True:
        first, outputs = log.outputs(partition, low, PAGE)
        for number, output in enumerate(outputs, first):
            if output.offset > offset:
                return found
            if output.offset == offset:
                found.append((number, output))
        if not outputs:
            return found
        low = first + len(outputs) - 1
