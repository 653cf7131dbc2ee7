"""What a rule remembers of a key, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rules.model.rule import NEVER
from rules.nodes.waiting import DUE
from streams import rfc3339
from streams.state import Cell

MOST: Final = 3
"""Open windows, or matches of a sequence, that are told of one by one."""
_FAR: Final = 253402300800000000
"""The year 10000, in microseconds."""


def when(micros: int) -> str:
    return rfc3339.format(micros) if -_FAR < micros < _FAR else "a time beyond the year 9999"


def plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {many}" if count != 1 else f"one {one}"


def remembered(node_ids: Mapping[str, str], within: int | None, cell: Cell) -> Iterator[str]:
    """Of deadlines, what settles, and the throttle; `within` is the rule's `once_within`, in microseconds."""
    for name, id in node_ids.items():
        state = cell.nodes.get(id)
        if state is None:
            continue
        if name == "throttle":
            yield _throttle(state, within or 0)
        elif name in ("deadline", "settle"):
            called = "settling" if name == "settle" else name
            many = f"{len(state):,} pending, the first" if len(state) > 1 else "one pending,"
            yield f"{called}: {many} due {when(state[0][DUE])}"


def silent_until(node_ids: Mapping[str, str], within: int | None, cell: Cell) -> int | None:
    """Microseconds; None where nothing keeps it silent, and NEVER for ever."""
    id = node_ids.get("throttle")
    last = cell.nodes.get(id) if id is not None else None
    if last is None or within is None:
        return None
    return NEVER if within >= NEVER else last + within


def _throttle(last: int, within: int) -> str:
    if within >= NEVER:
        return f"fired at {when(last)}, and once is once"
    return f"fired at {when(last)}, silent until {when(last + within)}"
