"""`orchestrator projections get`: one row."""

from __future__ import annotations

from orchestrator.cli.client import connect, segment
from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line


def get(name: str, key: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Show the row of a key, and as of which position.

    Example: orchestrator projections get fines A15

    Parameters
    ----------
    name
        The projection.
    key
        The key of the row.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("GET", f"/v1/projections/{segment(name)}/{segment(key)}")
    if json:
        json_line(found)
        return OK
    width = max((len(field) for field in found["row"]), default=0)
    line(f"{name} {key} as of {found['as_of']}")
    for field, value in found["row"].items():
        line(f"  {field.ljust(width)}  {value}")
    return OK
