"""Parked commands are sent again: those that are ticked, or all that a filter finds; counted first, then confirmed.

The form of the confirmation holds the ids, so what happens is what was shown. Commands that somebody else redrove
meanwhile are left out and counted, as `orchestrator commands redrive` does.
"""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from adapters.errors import UnknownCommandError, WrongStateError
from adapters.ledger import State
from orchestrator.api.models.common import MOST
from orchestrator.api.problem import Problem
from orchestrator.console.pages.commands import FILTERS
from orchestrator.console.pages.commands import PATH as LIST
from orchestrator.console.render import link
from orchestrator.console.site import CONSOLE, UNDER, Console, asked, elsewhere, form, page
from orchestrator.redrive import NotYetError
from projections.query import CommandFilter, Queries

PATH: Final = f"{UNDER}/redrive"
SHOWN: Final = 20
"""Commands, and reasons, that the confirmation shows."""
MOST_CHANGED: Final = 50
"""So many that are no longer parked are left out; beyond that the list is too old."""


def add(app: web.Application) -> None:
    app.router.add_get(PATH, confirm)
    app.router.add_post(PATH, act)


async def confirm(request: web.Request) -> web.Response:
    """`?id=…&id=…`, or `?to=…&rule=…&key=…`: all parked ones that fit."""
    queries = request.app[CONSOLE].context.queries
    ids = list(dict.fromkeys(request.query.getall("id", [])))[:MOST]
    filters = {name: asked(request, name) for name in FILTERS}
    if ids:
        found, more = await asyncio.to_thread(_named, queries, ids), False
    else:
        filter = CommandFilter(State.PARKED.value, **filters)
        answer = await asyncio.to_thread(queries.commands, filter, MOST)
        found, more = answer.commands, answer.next is not None
    parked = [command for command in found if command["state"] == State.PARKED]
    # In the order in which they were decided, as they would have been sent.
    parked.reverse()
    reasons = Counter(command["last_error"] or "no reason is known" for command in parked)
    return page(
        request,
        "redrive.html",
        "Send parked commands again",
        place=LIST,
        commands=parked[:SHOWN],
        ids=[command["id"] for command in parked],
        others=len(found) - len(parked),
        more=more,
        most=MOST,
        reasons=reasons.most_common(SHOWN),
        targets=Counter(command["to"] for command in parked).most_common(),
        command_options=_options(ids, filters),
        back=link(LIST, state=State.PARKED.value, **filters),
    )


def _options(ids: Sequence[str], filters: dict[str, str | None]) -> str:
    """Of `orchestrator commands redrive`, for the same commands."""
    if ids:
        return " " + " ".join(map(shlex.quote, ids))
    return " --state parked" + "".join(f" --{name} {shlex.quote(value)}" for name, value in filters.items() if value)


async def act(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    ids = list(dict.fromkeys((await form(request)).get("id", [])))
    if not 1 <= len(ids) <= MOST:
        raise Problem(400, f"{len(ids)} commands are not possible: choose 1 to {MOST}")
    try:
        redriven, changed = await _redrive(console, ids)
    except NotYetError as error:
        raise Problem(504, str(error), headers={"Retry-After": "60"}) from error
    where = link(LIST, state=State.PARKED.value, said="changed" if changed else "redriven", n=redriven, m=changed)
    return elsewhere(where)


async def _redrive(console: Console, ids: Sequence[str]) -> tuple[int, int]:
    """(redriven, no longer parked)."""
    left = dict.fromkeys(ids)
    changed = 0
    while left:
        try:
            await console.context.redrive([*left])
        except (UnknownCommandError, WrongStateError) as error:
            changed += 1
            # Without its target a command is parked still, and will be until somebody declares it.
            stuck = isinstance(error, WrongStateError) and error.state == State.PARKED
            if stuck or changed > MOST_CHANGED or error.id not in left:
                raise Problem(409, f"{error}; nothing was redriven: open the list again") from error
            del left[error.id]
        else:
            break
    return len(left), changed


def _named(queries: Queries, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Newest first, as lists are."""
    found = [command for id in ids if (command := queries.command(id)) is not None]
    return sorted(found, key=lambda command: (command["at"] or "", command["id"]), reverse=True)
