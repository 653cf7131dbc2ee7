"""Work for workers: commands taken by lease, and what became of them. What the two clients share of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from orchestrator_client.errors import NotOurs
from orchestrator_client.wire import Call, segment

Verdict: TypeAlias = Literal["done", "retry", "final", "returned", "deferred", "waiting"]


class Leased(NamedTuple):
    """A command that is this worker's until `deadline`."""

    id: str
    """The same at every attempt: whoever remembers it does everything once."""
    token: str
    """Names the lease."""
    attempt: int
    deadline: str
    """RFC 3339."""
    target: str
    command: dict[str, Any]
    """What was decided: `command`, `args`, `key`, `rule` and so on."""
    headers: dict[str, str]
    """To be sent along, where the target's protocol has headers."""
    timeout: float | None
    """Seconds that the attempt may take, where the command says it."""
    progress: Any
    """What an earlier attempt left."""
    attempts_before: int = 0
    """That were made before it was last redriven; 0: it was not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a leased command. Times in seconds; `result` and `progress` are JSON values."""

    leased: Leased
    verdict: Verdict = "done"
    reason: str = ""
    result: Any = None
    status: str = ""
    """The target's own word for it: `503`, `timeout`."""
    took: float | None = None
    retry_after: float | None = None
    progress: Any = None


class Settled(NamedTuple):
    id: str
    state: str | None
    """Of the command, now that its outcome is stored; None if it is not."""
    error: str | None
    """`lease-lost`: it was refused, and somebody else has the command. `unavailable`: say it again."""
    detail: str | None


def lease(target: str, limit: int, lease: float, wait: float, worker: str) -> Call:
    """Repeated after a lost answer: what that one held comes again when its lease is over."""
    asked = {"target": target, "limit": limit, "lease": _duration(lease), "wait": _duration(wait), "worker": worker}
    return _call("lease", asked)


def leases(url: str, document: dict[str, Any]) -> list[Leased]:
    try:
        return [
            Leased(
                each["id"],
                each["token"],
                each["attempt"],
                each["deadline"],
                each["target"],
                each["command"],
                each["headers"],
                each["timeout"],
                each.get("progress"),
                each.get("attempts_before", 0),
            )
            for each in document["commands"]
        ]
    except (KeyError, TypeError):
        raise NotOurs(url, "leased commands without all of their members") from None


def settle(outcome: Outcome, worker: str) -> Call:
    """Said again after a lost answer it is answered in the same way."""
    said = _said(outcome)
    verdict = said.pop("verdict")
    id = segment(said.pop("id"))
    if verdict != "done":
        return _call(f"{id}/fail", {"reason": "", "verdict": verdict, **said, "worker": worker})
    done = {name: value for name, value in said.items() if name in ("token", "result", "status", "took")}
    return _call(f"{id}/ack", {**done, "worker": worker})


def state(url: str, document: dict[str, Any]) -> str:
    found = document.get("state")
    if not isinstance(found, str):
        raise NotOurs(url, "an answer without `state`")
    return found


def extend(leased: Leased, lease: float, worker: str) -> Call:
    said = {"token": leased.token, "lease": _duration(lease), "worker": worker}
    return _call(f"{segment(leased.id)}/extend", said)


def extended(url: str, leased: Leased, document: dict[str, Any]) -> Leased:
    try:
        return leased._replace(token=document["token"], deadline=document["deadline"])
    except KeyError as error:
        raise NotOurs(url, f"a lease without {error}") from None


def outcomes(said: Sequence[Outcome], worker: str) -> Call:
    return _call("outcomes", {"outcomes": [_said(each) for each in said], "worker": worker})


def settled(url: str, document: dict[str, Any]) -> list[Settled]:
    try:
        return [
            Settled(each["id"], each.get("state"), each.get("error"), each.get("detail"))
            for each in document["answers"]
        ]
    except (KeyError, TypeError):
        raise NotOurs(url, "answers to outcomes without their ids") from None


def _said(outcome: Outcome) -> dict[str, Any]:
    found = {
        "id": outcome.leased.id,
        "token": outcome.leased.token,
        "verdict": outcome.verdict,
        "reason": outcome.reason or None,
        "result": outcome.result,
        "status": outcome.status or None,
        "took": outcome.took,
        "retry_after": _duration(outcome.retry_after) if outcome.retry_after is not None else None,
        "progress": outcome.progress,
    }
    return {name: value for name, value in found.items() if value is not None}


def _call(path: str, said: dict[str, Any]) -> Call:
    """Raises TypeError or ValueError for what is no JSON."""
    body = json.dumps(said, allow_nan=False).encode()
    return Call("POST", f"/v1/commands/{path}", body=body, headers={"Content-Type": "application/json"})


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1_000)}ms"
