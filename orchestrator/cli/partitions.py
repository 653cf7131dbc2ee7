"""`orchestrator partitions list`: who evaluates what, and how far."""

from __future__ import annotations

from orchestrator.cli.client import connect
from orchestrator.cli.exits import OK
from orchestrator.cli.show import listed

COLUMNS = ("partition", "owner", "position", "tail", "lag", "clock", "state", "last_progress", "undelivered", "reason")


def list_partitions(*, url: str | None = None, json: bool = False) -> int:
    """List partitions: who evaluates them, and how far.

    Example: orchestrator partitions list

    Parameters
    ----------
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    with connect(url) as client:
        found = client.call("GET", "/v1/partitions")
    partitions = found["partitions"]
    listed(COLUMNS, partitions, [[each[name] for name in COLUMNS] for each in partitions], None, json)
    return OK
