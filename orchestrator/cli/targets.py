"""`orchestrator targets list|show|pause|resume`: where commands go, and what is sent there now."""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.cli.client import body, connect, segment
from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line, listed

COUNTS = ("pending", "in_flight", "retrying", "waiting", "parked")
COLUMNS = ("name", "kind", "deliver", "state", "since", "reason", *COUNTS, "concurrency", "rate")


def list_targets(*, url: str | None = None, json: bool = False) -> int:
    """List targets: what they are, whether something is sent to them now, and how many commands wait or are parked.

    Example: orchestrator targets list

    Parameters
    ----------
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    with connect(url) as client:
        found = client.call("GET", "/v1/targets")["targets"]
    listed(COLUMNS, found, [_row(each) for each in found], None, json)
    return OK


def show(name: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Show all settings of a target, what is sent to it now, and what waits; no addresses and no secrets.

    Example: orchestrator targets show police

    Parameters
    ----------
    name
        The target, as the targets file says it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("GET", f"/v1/targets/{segment(name)}")
    if json:
        json_line(found)
    else:
        line(msgspec.json.format(msgspec.json.encode(found)).decode())
    return OK


def pause(name: str, /, *, reason: str = "paused by hand", url: str | None = None, json: bool = False) -> int:
    """Send nothing to a target until it is resumed. What is being sent ends as ever; what waits costs no attempt.

    Example: orchestrator targets pause police --reason "they move house"

    Parameters
    ----------
    name
        The target, as the targets file says it.
    reason
        For whoever asks why.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("POST", f"/v1/targets/{segment(name)}/pause", body({"reason": reason}))
    if json:
        json_line(found)
    else:
        line(f"{name} is paused: `orchestrator targets resume {name}` goes on")
    return OK


def resume(name: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Send again to a target that was paused.

    Example: orchestrator targets resume police

    Parameters
    ----------
    name
        The target, as the targets file says it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("POST", f"/v1/targets/{segment(name)}/resume")
    if json:
        json_line(found)
    else:
        line(f"{name} is resumed")
    return OK


def _row(target: dict[str, Any]) -> list[Any]:
    paused, breaker, rate = target["paused"], target["breaker"], target["rate"]
    if paused is not None:
        state, since, reason = "paused", paused["since"], paused["reason"]
    elif breaker["state"] in ("open", "half_open"):
        state, since, reason = breaker["state"].replace("_", " "), breaker["since"], breaker["reason"]
    else:
        state, since, reason = "sends", None, None
    return [
        target["name"],
        target["kind"],
        target["deliver"],
        state,
        since,
        reason,
        *(target["commands"][state] for state in COUNTS),
        target["concurrency"],
        f"{rate['limit']:,} in {rate['per']:g} s" if rate is not None else None,
    ]
