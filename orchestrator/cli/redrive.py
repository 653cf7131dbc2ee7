"""`orchestrator commands redrive`: sends parked commands again, those that are named or all that a filter finds.

With a filter it counts first, says what it found, and goes on only when told to. Commands that somebody else redrove or
cancelled meanwhile are left out and counted; the rest go in batches, in the order in which they were decided.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, Final

from orchestrator.cli.client import Client, Refused, body, connect
from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, note, one_line, progress

PAGE: Final = 1_000
BATCH: Final = 500
PATIENCE: Final = 60.0
"""Seconds that one request is repeated while the server is away or has no room."""
REASONS: Final = 5
"""Reasons shown, the most frequent."""
_CHANGED: Final = (404, 409)


def redrive(
    *ids: str,
    state: str | None = None,
    to: str | None = None,
    rule: str | None = None,
    key: str | None = None,
    yes: bool = False,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Send parked commands again: those named, all or none; or all that are found, after they were counted.

    Their ids stay the same, so a receiver that remembers ids does nothing twice; their attempts count on.

    Example: orchestrator commands redrive --state parked --to police

    Parameters
    ----------
    ids
        The commands, as `orchestrator commands list` shows them.
    state
        Instead of ids: `parked`, the only state that is redriven. Says that all are meant, if nothing else is said.
    to
        Only those for this target.
    rule
        Only those of this rule.
    key
        Only those of this key.
    yes
        Do not ask. Without it, and without a terminal to ask at, they are only counted.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    filters = {"to": to, "rule": rule, "key": key}
    wanted = state is not None or any(value is not None for value in filters.values())
    if bool(ids) == wanted:
        raise CommandFailed("name commands by their ids, or find them: --state parked, --to, --rule, --key", USAGE)
    if state not in (None, "parked"):
        raise CommandFailed(f"--state={state}: only parked commands are redriven: --state parked", USAGE)
    with connect(url) as client:
        if ids:
            found = client.call("POST", "/v1/commands/redrive", body({"ids": list(dict.fromkeys(ids))}))
            if json:
                json_line(found)
            else:
                line(f"{found['redriven']} redriven")
            return OK
        return _redrive_found(client, filters, yes, json)


def _redrive_found(client: Client, filters: dict[str, str | None], yes: bool, json: bool) -> int:
    ids, targets, reasons = _count(client, filters)
    if ids and not json:
        line(f"{len(ids):,} parked: " + ", ".join(f"{count:,} to {target}" for target, count in targets.most_common()))
        for reason, count in reasons.most_common(REASONS):
            line(f"  {count:>9,}  {reason}")
        if len(reasons) > REASONS:
            line(f"             and {len(reasons) - REASONS:,} other reasons")
    if ids and not yes and not _confirmed(len(ids), json):
        if json:
            json_line({"parked": len(ids), "redriven": 0, "changed": 0})
        note("nothing was redriven: add --yes")
        return USAGE
    redriven, changed = _send(client, ids)
    if json:
        json_line({"parked": len(ids), "redriven": redriven, "changed": changed})
    elif ids:
        line(f"{redriven:,} redriven" + (f"; {changed:,} were no longer parked" if changed else ""))
    else:
        line("no parked command fits")
    return OK


def _count(client: Client, filters: dict[str, str | None]) -> tuple[list[str], Counter[str], Counter[str]]:
    """(ids, how many per target, how many per reason), the ids newest first."""
    ids: list[str] = []
    targets: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    cursor = None
    while True:
        query: dict[str, Any] = {**filters, "state": "parked", "limit": PAGE, "cursor": cursor}
        page = client.call("GET", "/v1/commands", query=query)
        for command in page["commands"]:
            ids.append(command["id"])
            targets[command["to"]] += 1
            reasons[one_line(command["last_error"] or "-", 100)] += 1
        cursor = page["next"]
        if cursor is None:
            return ids, targets, reasons


def _confirmed(count: int, json: bool) -> bool:
    if json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return input(f"redrive {count:,} commands? [y/N] ").strip().lower() in ("y", "yes")


def _send(client: Client, ids: list[str]) -> tuple[int, int]:
    """(redriven, no longer parked)."""
    redriven = changed = 0
    left = ids[:]
    with progress("redriving") as advance:
        while left:
            batch = dict.fromkeys(left[-BATCH:])
            del left[-BATCH:]
            while batch:
                try:
                    client.patient("POST", "/v1/commands/redrive", body({"ids": [*reversed(batch)]}), within=PATIENCE)
                except Refused as error:
                    id = error.document.get("id")
                    if error.http_status not in _CHANGED or id not in batch:
                        raise
                    del batch[id]
                    changed += 1
                else:
                    redriven += len(batch)
                    break
            advance(len(ids) - len(left), len(ids))
    return redriven, changed
