"""What a rule remembers of a key, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rules.compile.rule import CompiledRule
from rules.model.rule import NEVER
from rules.nodes.waiting import DUE
from streams import rfc3339
from streams.state import Cell

_FAR: Final = 253402300800000000
"""The year 10000, in microseconds."""


def when(micros: int) -> str:
    return rfc3339.format(micros) if -_FAR < micros < _FAR else "a time beyond the year 9999"


def remembered(rule: CompiledRule, within: int | None, cell: Cell) -> Iterator[str]:
    """`within` is the rule's `once_within`, in microseconds."""
    for name, id in rule.node_ids.items():
        state = cell.nodes.get(id)
        if state is None:
            continue
        if name == "throttle":
            yield _throttle(state, within or 0)
        elif _waits(state):
            count = len(state)
            many = f"{count:,} pending, the first" if count > 1 else "one pending,"
            yield f"{name}: {many} due {when(state[0][DUE])}"
        else:
            yield f"{name}: there is something remembered"


def silent_until(rule: CompiledRule, within: int | None, cell: Cell) -> int | None:
    """Microseconds; None where nothing keeps it silent, and NEVER for ever."""
    id = rule.node_ids.get("throttle")
    last = cell.nodes.get(id) if id is not None else None
    if last is None or within is None:
        return None
    return NEVER if within >= NEVER else last + within


def _throttle(last: int, within: int) -> str:
    if within >= NEVER:
        return f"fired at {when(last)}, and once is once"
    return f"fired at {when(last)}, silent until {when(last + within)}"


def _waits(state: Any) -> bool:
    return isinstance(state, list) and bool(state) and isinstance(state[0], list) and len(state[0]) >= 2
