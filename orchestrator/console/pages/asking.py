"""Parked commands are sent again, commands that wait or are parked are cancelled or expire: those that are ticked, or
all that a filter finds; counted first, then confirmed.

The form of the confirmation holds the ids, so what happens is what was shown. Commands that changed meanwhile are left
out and counted, as the command line does.
"""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from aiohttp import web

from adapters.errors import UnknownCommandError, WrongStateError
from adapters.ledger import State
from adapters.requests import CANCELLABLE
from orchestrator.api.models.common import MOST
from orchestrator.api.problem import Problem
from orchestrator.asks import Asks, NotYetError
from orchestrator.console.pages.commands import PATH as LIST
from orchestrator.console.pages.commands import chosen
from orchestrator.console.render import link
from orchestrator.console.site import CONSOLE, UNDER, asked, elsewhere, form, page
from projections.query import Queries

SHOWN: Final = 20
"""Commands, and reasons, that the confirmation shows."""
MOST_CHANGED: Final = 50
"""So many that changed are left out; beyond that the list is too old."""
LONGEST_REASON: Final = 1_000


@dataclass(frozen=True, slots=True)
class Act:
    name: Literal["redrive", "cancel", "expire"]
    """As the command line calls it."""
    title: str
    states: frozenset[State]
    """In which it is possible."""
    said: tuple[str, str]
    """What the list says afterwards: when all were done, and when some had changed."""
    by_hand: str = ""
    """The reason, if no other is given. With one, it cannot be undone."""

    @property
    def path(self) -> str:
        return f"{UNDER}/{self.name}"


REDRIVE: Final = Act("redrive", "Send parked commands again", frozenset((State.PARKED,)), ("redriven", "redriven-some"))
CANCEL: Final = Act(
    "cancel", "Cancel commands", CANCELLABLE, ("cancelled", "cancelled-some"), "cancelled in the console"
)
EXPIRE: Final = Act("expire", "Let commands expire", CANCELLABLE, ("expired", "expired-some"), "expired in the console")


def add(app: web.Application) -> None:
    for act in (REDRIVE, CANCEL, EXPIRE):
        app.router.add_get(act.path, partial(confirm, act))
        app.router.add_post(act.path, partial(do, act))


async def confirm(act: Act, request: web.Request) -> web.Response:
    """`?id=…&id=…`, or `?state=…&to=…&rule=…&key=…&since=…&until=…`: all that fit."""
    queries = request.app[CONSOLE].context.queries
    ids = list(dict.fromkeys(request.query.getall("id", [])))[:MOST]
    state = _state(act, asked(request, "state"))
    filters, filter = chosen(request, state.value)
    if ids:
        found, more = await asyncio.to_thread(_named, queries, ids), False
    else:
        answer = await asyncio.to_thread(queries.commands, filter, MOST)
        found, more = answer.commands, answer.next is not None
    fitting = [command for command in found if command["state"] in act.states]
    # In the order in which they were decided, as they would have been sent.
    fitting.reverse()
    reasons = Counter(command["last_error"] or "no attempt has failed" for command in fitting)
    return page(
        request,
        "asking.html",
        act.title,
        place=LIST,
        act=act.name,
        action=act.path,
        commands=fitting[:SHOWN],
        ids=[command["id"] for command in fitting],
        state=state.value,
        others=len(found) - len(fitting),
        more=more,
        most=MOST,
        reasons=reasons.most_common(SHOWN),
        targets=Counter(command["to"] for command in fitting).most_common(),
        by_hand=act.by_hand,
        longest_reason=LONGEST_REASON,
        command_options=_options(ids, state.value, filters),
        back=link(LIST, state=state.value, **filters),
    )


async def do(act: Act, request: web.Request) -> web.Response:
    fields = await form(request)
    ids = list(dict.fromkeys(fields.get("id", [])))
    if not 1 <= len(ids) <= MOST:
        raise Problem(400, f"{len(ids)} commands are not possible: choose 1 to {MOST}")
    if act.by_hand and fields.get("sure") != ["yes"]:
        raise Problem(400, "tick that they shall never be sent: nothing was done")
    reason = (fields.get("reason", [""])[0].strip() or act.by_hand)[:LONGEST_REASON]
    state = _state(act, fields.get("state", [""])[0] or None)
    try:
        done, changed = await _done(_ask(act, request.app[CONSOLE].context.asks, reason), act.states, ids)
    except NotYetError as error:
        raise Problem(504, str(error), headers={"Retry-After": "60"}) from error
    return elsewhere(link(LIST, state=state.value, said=act.said[changed > 0], n=done, m=changed))


def _ask(act: Act, asks: Asks, reason: str) -> Callable[[list[str]], Awaitable[int]]:
    """What answers how many of these were done. Raises as `Asks` does."""

    async def redrive(ids: list[str]) -> int:
        await asks.redrive(ids)
        return len(ids)

    if act is REDRIVE:
        return redrive
    return lambda ids: asks.expire(ids, reason) if act is EXPIRE else asks.cancel(ids, reason)


async def _done(
    ask: Callable[[list[str]], Awaitable[int]], states: Collection[str], ids: Sequence[str]
) -> tuple[int, int]:
    """(done, changed meanwhile). `states`: those in which it is possible."""
    left = dict.fromkeys(ids)
    for _ in range(MOST_CHANGED):
        if not left:
            return 0, len(ids)
        try:
            done = await ask([*left])
        except (UnknownCommandError, WrongStateError) as error:
            # Without its target a command is parked still, and will be until somebody declares it.
            if error.id not in left or (isinstance(error, WrongStateError) and error.state in states):
                raise Problem(409, f"{error}; nothing was done") from error
            del left[error.id]
        else:
            return done, len(ids) - done
    raise Problem(409, f"{MOST_CHANGED} of them have changed meanwhile: nothing was done; open the list again")


def _state(act: Act, text: str | None) -> State:
    """Of the list. Raises Problem."""
    if text is None or act is REDRIVE:
        return State.PARKED
    if text not in set(act.states):
        raise Problem(400, f"commands that are {text[:40]} cannot be cancelled: {', '.join(sorted(act.states))} can")
    return State(text)


def _options(ids: Sequence[str], state: str, filters: dict[str, str | None]) -> str:
    """Of `orchestrator commands redrive` and `cancel`, for the same commands."""
    if ids:
        return " " + " ".join(map(shlex.quote, ids))
    return f" --state {state}" + "".join(f" --{name} {shlex.quote(value)}" for name, value in filters.items() if value)


def _named(queries: Queries, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Newest first, as lists are."""
    found = [command for id in ids if (command := queries.command(id)) is not None]
    return sorted(found, key=lambda command: (command["at"] or "", command["id"]), reverse=True)
