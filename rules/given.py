"""Events as tests and tools write them, made into events as the log has them.

`tests:` of rule files and the test kit need no `id` and no `source`: those come from the place. Everything else is what
`streams.intake` takes from a producer; beside that, results of commands may be given, since rules react to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streams.event import OURSELVES, RESULT, Event, fingerprint
from streams.intake import Intake

SOURCE: Final = "test"
RESULTS: Final = tuple(f"orchestrator.command.{outcome}" for outcome in ("succeeded", "parked", "expired", "cancelled"))

_intake: Final = Intake(max_ahead=None, ticks=True)


def completed(attributes: Mapping[str, Any], place: int) -> dict[str, Any]:
    """With `id` and `source`, if they are not there. `place` counts from 1."""
    return {"id": str(place), "source": SOURCE, **attributes}


def event_of(attributes: Mapping[str, Any]) -> Event:
    """Raises streams.intake.IntakeError, naming the attribute."""
    if attributes.get("type") not in RESULTS:
        return _intake.from_object(attributes, None)
    event = _intake.from_object({**attributes, "type": "result"}, None)
    mark = fingerprint(OURSELVES, event.id)
    return msgspec.structs.replace(event, type=attributes["type"], kind=RESULT, source=OURSELVES, fingerprint=mark)
