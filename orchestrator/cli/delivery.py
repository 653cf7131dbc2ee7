"""`orchestrator delivery status|arm`: whether commands are sent at all, and the word that they may be."""

from __future__ import annotations

from orchestrator.cli.client import body, connect
from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line


def status(*, url: str | None = None, json: bool = False) -> int:
    """Show whether commands are sent at all, and how many wait.

    Example: orchestrator delivery status

    Parameters
    ----------
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("GET", "/v1/delivery")
    if json:
        json_line(found)
    elif found["armed"]:
        line(f"Delivery is armed; {found['commands']} commands wait or are being sent.")
    else:
        more = "" if found["settled"] else ", and more are being read"
        line(f"Delivery is disarmed since {found['disarmed_since']}: {found['commands']} commands wait{more}.")
        line(f"If they shall be sent: orchestrator delivery arm --count {found['commands']}")
    return OK


def arm(*, count: int, url: str | None = None, json: bool = False) -> int:
    """Send commands again after a restore. With another number than would be sent nothing happens.

    Example: orchestrator delivery arm --count 17

    Parameters
    ----------
    count
        How many commands would be sent, as `orchestrator delivery status` says.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("POST", "/v1/delivery/arm", body({"count": count}))
    if json:
        json_line(found)
    else:
        line("Delivery is armed.")
    return OK
