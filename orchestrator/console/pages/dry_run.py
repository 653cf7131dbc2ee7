"""`/console/dry-run`: an event against the rules, with the state of its keys as it is now, or with none.

What is asked is what `orchestrator rules explain` asks: conditions are evaluated with each comparison on the way, and
what follows is what the compiled rules do, on a copy. Nothing is appended, nothing is sent.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

import msgspec
import orjson
from aiohttp import web

from orchestrator.api.problem import Problem, printable
from orchestrator.console.render import as_json
from orchestrator.console.site import CONSOLE, UNDER, Console, asked, form, page
from rules.explain.explainer import Explainer, Known
from rules.explain.explanation import Explained
from rules.explain.text import decisive
from rules.given import completed, event_of
from streams import rfc3339
from streams.copies import Copies
from streams.event import CONTROL, Event
from streams.keys import partition_of
from streams.log import Log, LogError, LogUnavailable
from streams.position import Position
from streams.processor import Partition
from streams.state import CELL, COPY, DAWN, PARTITION, Cell, decode_cell
from streams.worker import RULES

PATH: Final = f"{UNDER}/dry-run"
STATES: Final = ("now", "empty")
EXAMPLE: Final = """{
  "type": "order.placed",
  "subject": "A1",
  "data": {"total": 250}
}"""
_EVERYTHING: Final = 1 << 30


class _Explainers:
    """The explainer of this process's rules, made when it is first asked; it serves one thread at a time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._made: Explainer | None = None

    def explain(self, event: Event, known_of: Callable[[str], Known | None]) -> Explained:
        with self._lock:
            if self._made is None:
                self._made = Explainer(self._console.ruleset)
            return self._made.explain(event, known_of)


_explainers: Final = web.AppKey("explainers", _Explainers)


def add(app: web.Application) -> None:
    app[_explainers] = _Explainers(app[CONSOLE])
    app.router.add_get(PATH, ask)
    app.router.add_post(PATH, answer)


async def ask(request: web.Request) -> web.Response:
    """`?position=` begins with an event of the log."""
    position = asked(request, "position")
    text = EXAMPLE
    if position is not None:
        text = await asyncio.to_thread(_of_log, request.app[CONSOLE].context.log, position)
    return _page(request, text, "now", position)


async def answer(request: web.Request) -> web.Response:
    fields = await form(request)
    text, state = fields.get("event", [""])[0], fields.get("state", ["now"])[0]
    if state not in STATES:
        raise Problem(400, f"there is no state `{state[:40]}`: choose {' or '.join(STATES)}")
    context = request.app[CONSOLE].context
    try:
        event = _event(text, context.now())
        explained = await asyncio.to_thread(_explain, request, event, state)
    except (ValueError, RecursionError) as error:
        return _page(request, text, state, None, error=str(error))
    return _page(request, text, state, None, explained=_shown(explained))


def _page(
    request: web.Request,
    text: str,
    state: str,
    position: str | None,
    *,
    error: str | None = None,
    explained: dict[str, Any] | None = None,
) -> web.Response:
    return page(
        request,
        "dry_run.html",
        "Dry run",
        status=200 if error is None else 400,
        text=text,
        state=state,
        position=position,
        error=error,
        explained=explained,
    )


def _event(text: str, now: int) -> Event:
    """Raises ValueError (IntakeError among them) that names what is wrong."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"this is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("this is no event: write one JSON object with `type`, `subject` and `data`")
    return event_of(completed({"time": rfc3339.format(now), **found}, 1))


def _explain(request: web.Request, event: Event, state: str) -> Explained:
    """In a thread."""
    log = request.app[CONSOLE].context.log
    try:
        return request.app[_explainers].explain(event, lambda key: _now(log, key) if state == "now" else _empty())
    except msgspec.DecodeError as error:
        raise ValueError(f"its data are no JSON: {error}") from error


def _empty() -> Known:
    return Known(Cell(), DAWN, Copies())


def _now(log: Log, key: str) -> Known:
    """What is committed of a key."""
    partition = partition_of(key, log.info.partitions)
    rows = log.rows(partition, RULES, [PARTITION, CELL + key])
    cell, own = rows.get(CELL + key), rows.get(PARTITION)
    return Known(
        Cell() if cell is None else decode_cell(cell),
        DAWN if own is None else msgspec.msgpack.decode(own, type=Partition).tick,
        Copies(log.scan(partition, RULES, COPY, "", _EVERYTHING)),
    )


def _of_log(log: Log, text: str) -> str:
    """The event at a position, as it would be published. Raises Problem."""
    try:
        position = Position.parse(text)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    if position.partition >= log.info.partitions:
        raise Problem(404, f"there is no partition {position.partition}")
    try:
        (event,) = log.fetch(position.partition, [position.offset])
    except LogUnavailable:
        raise
    except LogError:
        raise Problem(404, f"there is no event at {position}") from None
    if event.kind == CONTROL:
        raise Problem(400, f"at {position} is a control event ({event.type}), which rules do not see")
    attributes: dict[str, Any] = {"type": event.type, "source": event.source, "id": event.id, "subject": event.subject}
    attributes["time"] = rfc3339.format(event.time)
    if event.key != event.subject:
        attributes["partitionkey"] = event.key
    try:
        return as_json({**attributes, **(event.extensions or {}), "data": event.payload()})
    except (msgspec.DecodeError, RecursionError) as error:
        raise Problem(400, f"the data of the event at {position} are no JSON: {error}") from None


def _shown(explained: Explained) -> dict[str, Any]:
    """The explanation as JSON, with the comparison of each rule that decided marked."""
    found: dict[str, Any] = printable(explained.as_json())
    for key, told in zip(found["keys"], explained.keys, strict=True):
        key["clock"] = rfc3339.format(told.clock) if rfc3339.MIN <= told.clock <= rfc3339.MAX else None
        for shown, rule in zip(key["rules"], told.rules, strict=True):
            decided = decisive(rule)
            for compared, comparison in zip(shown["comparisons"], rule.comparisons, strict=True):
                compared["decided"] = comparison is decided
    return found
