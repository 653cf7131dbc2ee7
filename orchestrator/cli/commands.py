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
    """List commands, newest first."""
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


def show(id: str, *, url: str | None = None, json: bool = False) -> int:
    """Show all that is known of one command."""
    with connect(url) as client:
        found = client.call("GET", f"/v1/commands/{segment(id)}")
    if json:
        json_line(found)
    else:
        line(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    return OK


def redrive(*ids: str, url: str | None = None, json: bool = False) -> int:
    """Send parked commands again: all that are named, or none and why."""
    if not ids:
        raise CommandFailed("name the ids of parked commands: `orchestrator commands list --state parked`", USAGE)
    with connect(url) as client:
        found = client.call("POST", "/v1/commands/redrive", body({"ids": ids}))
    if json:
        json_line(found)
    else:
        line(f"{found['redriven']} redriven")
    return OK
