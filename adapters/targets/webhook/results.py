"""What the answer to a batch says of each of its commands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from adapters.targets.webhook.answers import FAILURES, verdict
from adapters.work import Outcome, Verdict, Work

MULTI_STATUS: Final = 207
SNIPPET: Final = 300
"""Characters of an `error` in a reason."""


class _Result(msgspec.Struct):
    id: str
    status: int
    error: str | None = None


class _Results(msgspec.Struct):
    results: list[_Result]


def judge(
    works: Sequence[Work], status: int, body: bytes, whole: bool, retry_after: float | None
) -> list[Outcome] | None:
    """For an answer 2xx; None if it speaks of the batch as one. Of two results with one id the last counts."""
    if status != MULTI_STATUS and b'"results"' not in body:
        return None
    try:
        if not whole:
            raise ValueError("the answer is too long, or broke off")
        said = msgspec.json.decode(body, type=_Results)
    except (ValueError, RecursionError) as error:  # a MsgspecError is a ValueError
        if status != MULTI_STATUS and not _meant(body, whole):
            return None
        reason = f"HTTP {status}, but its `results` cannot be read: {error}"
        return [_unsaid(reason, status, retry_after)] * len(works)
    found = {one.id: one for one in said.results}
    return [_one(found.get(work.id), status, retry_after) for work in works]


def _meant(body: bytes, whole: bool) -> bool:
    """Whether an object has `results`, though they are not as they should be. Of a torn one nobody knows."""
    if not whole:
        return True
    try:
        found: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "results" in found


def _one(said: _Result | None, status: int, retry_after: float | None) -> Outcome:
    if said is None:
        return _unsaid(f"HTTP {status}, but its `results` say nothing of this command", status, retry_after)
    found = verdict(said.status)
    result = {"status": said.status, "body": said.error}
    if found is Verdict.DONE:
        return Outcome(found, result=result, status=str(said.status))
    reason = f"status {said.status} in the answer to a batch"
    if said.error:
        reason += f": {said.error[:SNIPPET].strip()}"
    return Outcome(found, reason, result, retry_after if found is Verdict.RETRY else None, str(said.status))


def _unsaid(reason: str, status: int, retry_after: float | None) -> Outcome:
    result = {"status": status, "body": None}
    return Outcome(FAILURES["results"].verdict, reason, result, retry_after, "results")
