"""`orchestrator commands list|show|redrive`: what was decided, and what became of it."""

from __future__ import annotations

import orjson

from orchestrator.cli.client import body, connect, segment
from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, table

COLUMNS = ("id", "state", "command", "to", "rule", "key", "at", "attempts", "last_error")


def list_commands(
    *,
    state: str | None = None,
    to: str | None = None,
    rule: str | None = None,
    key: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    url: str | None = None,
    json: bool = False,
) -> int:
    """List commands, newest first.

    Example: orchestrator commands list --state parked

    Parameters
    ----------
    state
        Only those in this state: pending, in_flight, retrying, done, parked, cancelled, expired or shadow.
    to
        Only those to this target.
    rule
        Only those of this rule.
    key
        Only those of this key.
    limit
        How many at most.
    cursor
        Go on behind a page: what `more:` said.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    query = {"state": state, "to": to, "rule": rule, "key": key, "limit": limit, "cursor": cursor}
    with connect(url) as client:
        found = client.call("GET", "/v1/commands", query=query)
    if json:
        json_line(found)
        return OK
    table(COLUMNS, [[each[name] for name in COLUMNS] for each in found["commands"]])
    if found["next"]:
        line(f"more: --cursor {found['next']}")
    return OK


def show(id: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Show all that is known of one command.

    Example: orchestrator commands show 4ac098c6e748278dec04ad354b846b4f

    Parameters
    ----------
    id
        The command's id, as `commands list` shows it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("GET", f"/v1/commands/{segment(id)}")
    if json:
        json_line(found)
    else:
        line(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    return OK


def redrive(*ids: str, url: str | None = None, json: bool = False) -> int:
    """Send parked commands again: all that are named, or none and why.

    Example: orchestrator commands redrive 4ac098c6e748278dec04ad354b846b4f

    Parameters
    ----------
    ids
        Ids of parked commands.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    if not ids:
        raise CommandFailed("name the ids of parked commands: `orchestrator commands list --state parked`", USAGE)
    with connect(url) as client:
        found = client.call("POST", "/v1/commands/redrive", body({"ids": ids}))
    if json:
        json_line(found)
    else:
        line(f"{found['redriven']} redriven")
    return OK
