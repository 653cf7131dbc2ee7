"""`orchestrator commands cancel`: commands that wait or are parked are never sent any more."""

from __future__ import annotations

from orchestrator.cli.asking import Asking, ask
from orchestrator.cli.which import EndableState, Ids, Key, Reason, Rule, Since, To, Until, Yes, filters


def cancel(
    *ids: Ids,
    state: EndableState = None,
    to: To = None,
    rule: Rule = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "cancelled by hand",
    yes: Yes = False,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Cancel commands that wait or are parked: those named, all or none; or all that are found, once they were counted.

    They are never sent again, and the event `orchestrator.command.cancelled` tells rules. What is being sent or is done
    cannot be cancelled.

    Example: orchestrator commands cancel --state retrying --to police --reason "the form was wrong"

    Parameters
    ----------
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    asking = Asking("cancel", "cancelled", ("pending", "retrying", "waiting", "parked"), (("reason", reason),))
    return ask(asking, ids, state, filters(to, rule, key, since, until), yes=yes, url=url, json=json)
