"""`/console/commands`: by state, with filters and pages; and one command with its attempts and terms."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from adapters.ledger import State
from adapters.requests import CANCELLABLE
from orchestrator.api.problem import Problem
from orchestrator.console.site import CONSOLE, UNDER, asked, asked_moment, page
from projections.query import CommandFilter

PATH: Final = f"{UNDER}/commands"
FILTERS: Final = ("to", "rule", "key", "since", "until")
LIMIT: Final = 50
EVERY: Final = 3.0
SIGNS: Final = {
    State.PENDING: "◷",
    State.IN_FLIGHT: "➜",
    State.RETRYING: "↻",
    State.WAITING: "◐",
    State.DONE: "✓",
    State.PARKED: "■",
    State.CANCELLED: "✕",
    State.EXPIRED: "⊘",
    State.SHADOW: "◌",
}
"""Beside the word, so that colour is never alone."""
SETTLED: Final = frozenset((State.DONE, State.CANCELLED, State.EXPIRED, State.SHADOW))
"""States that nothing follows."""


def add(app: web.Application) -> None:
    app.router.add_get(PATH, commands)
    app.router.add_get(f"{PATH}/{{id}}", command)


async def commands(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    state = asked(request, "state")
    if state is not None and state not in set(State):
        raise Problem(404, f"there is no state `{state[:40]}`: there are {', '.join(State)}")
    filters, filter = chosen(request, state)
    found = await asyncio.to_thread(console.context.queries.commands, filter, LIMIT, asked(request, "cursor"))
    return page(
        request,
        "commands.html",
        "Commands",
        every=EVERY if asked(request, "cursor") is None else None,
        state=state,
        states=list(State),
        acts=_acts(state),
        signs=SIGNS,
        filters=filters,
        filtered=any(filters.values()),
        commands=found.commands,
        next=found.next,
        cursor=asked(request, "cursor"),
        rules=[rule.name for rule in console.ruleset.rules],
    )


def chosen(request: web.Request, state: str | None) -> tuple[dict[str, str | None], CommandFilter]:
    """What the address asks for: as it is written there, and what it means now. Raises Problem."""
    filters = {name: asked(request, name) for name in FILTERS}
    since, until = asked_moment(request, "since"), asked_moment(request, "until")
    return filters, CommandFilter(state, filters["to"], filters["rule"], filters["key"], since, until)


def _acts(state: str | None) -> list[str]:
    """What may be asked for all commands of a list."""
    return ["redrive"] * (state == State.PARKED) + ["cancel", "expire"] * (state in CANCELLABLE)


async def command(request: web.Request) -> web.Response:
    id = request.match_info["id"]
    found = await asyncio.to_thread(request.app[CONSOLE].context.queries.command, id)
    if found is None:
        raise Problem(404, f"there is no command `{id[:80]}`, or it is not shown yet: it may appear in a moment")
    return page(
        request,
        "command.html",
        f"Command {id}",
        every=None if found["state"] in SETTLED else EVERY,
        command=found,
        sign=SIGNS[State(found["state"])],
        acts=_acts(found["state"]),
        steps=_steps(found),
        projections=request.app[CONSOLE].context.queries.names,
    )


def _steps(command: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """(what, when, more), in order: what is known of the way of a command."""
    last = command["last_error"] or ""
    steps: list[tuple[str, str | None, str]] = [("decided", command["at"], f"by rule {command['rule']}")]
    match State(command["state"]):
        case State.PENDING | State.RETRYING:
            steps.append(("next attempt", command["next_at"], last))
        case State.WAITING:
            steps.append(("asked for its result", command["next_at"], "the target has taken it"))
        case State.IN_FLIGHT:
            steps.append(("being sent", command["last_attempt_at"], f"lease until {command['lease_until']}"))
        case State.SHADOW:
            steps.append(("shadow", None, "recorded, never sent"))
        case ended:
            steps.append((ended.value, command["last_attempt_at"] if ended is State.DONE else None, last))
    return steps
