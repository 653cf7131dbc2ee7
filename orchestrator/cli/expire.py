"""`orchestrator commands expire`: commands that wait or are parked end as if their time had run out."""

from __future__ import annotations

from orchestrator.cli.asking import Asking, ask
from orchestrator.cli.which import EndableState, Ids, Key, Reason, Rule, Since, To, Until, Yes, filters


def expire(
    *ids: Ids,
    state: EndableState = None,
    to: To = None,
    rule: Rule = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "expired by hand",
    yes: Yes = False,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Let commands that wait or are parked expire: those named, all or none; or all that are found, once they were
    counted.

    They are never sent again, their fallback is put out, and the event `orchestrator.command.expired` tells rules. What
    is being sent or is done cannot expire.

    Example: orchestrator commands expire --state retrying --to police --reason "too late to matter"

    Parameters
    ----------
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    asking = Asking("expire", "expired", ("pending", "retrying", "waiting", "parked"), (("reason", reason),))
    return ask(asking, ids, state, filters(to, rule, key, since, until), yes=yes, url=url, json=json)
