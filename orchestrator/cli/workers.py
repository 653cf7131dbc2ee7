"""`orchestrator workers list`: who takes commands over HTTP, and what becomes of them."""

from __future__ import annotations

from typing import Any

from orchestrator.cli.client import connect
from orchestrator.cli.exits import OK
from orchestrator.cli.show import listed

COLUMNS = ("name", "targets", "last_seen", "in_flight", "leased", "done", "failed", "failure_rate")


def list_workers(*, url: str | None = None, json: bool = False) -> int:
    """List workers that take commands over HTTP: those heard of within the last minute, or that hold some.

    Example: orchestrator workers list

    Parameters
    ----------
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    with connect(url) as client:
        found = client.call("GET", "/v1/workers")
    workers = found["workers"]
    listed(COLUMNS, workers, [[_cell(name, each[name]) for name in COLUMNS] for each in workers], None, json)
    return OK


def _cell(name: str, value: Any) -> Any:
    if name == "targets":
        return ", ".join(value)
    return f"{value:.1%}" if name == "failure_rate" and value is not None else value
