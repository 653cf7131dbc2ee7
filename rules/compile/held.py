"""A firing that waits: what is kept of it in a cell, in plain values, and the frame that its actions will see.

Whatever triggers add to frames is kept here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from rules.compile.variables import Frame
from rules.nodes.kept import give, keep
from rules.nodes.kept_event import Met
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Event).decode


def hold(frame: Frame, opening: Any, completing: Any) -> list[Any]:
    """`opening` and `completing` are those of `Firing.fire`."""
    # data that are no JSON are this event's fault, and must not come to light later
    _ = frame.data
    lets = {name: keep(value) for name, value in frame.lets.items()}
    aggregates = {name: keep(value) for name, value in frame.aggregates.items()}
    named = [met.kept for met in frame.named]
    return [opening, completing, _encode(frame.event), lets, named, aggregates]


def release(evaluation: Evaluation, held: list[Any], key: str, cell: Cell, now: int) -> tuple[Frame, Any, Any]:
    """The frame at `now`, with the cell as it is then; `opening` and `completing`."""
    opening, completing, event, lets, named, aggregates = held
    frame = Frame(evaluation.current(_decode(event)), key, cell, now, evaluation.copies)
    frame.lets = {name: give(value) for name, value in lets.items()}
    frame.aggregates = {name: give(value) for name, value in aggregates.items()}
    frame.named = [Met(None, kept) for kept in named]
    return frame, opening, completing
