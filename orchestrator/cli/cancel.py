"""`orchestrator commands cancel`: commands that wait or are parked are never sent any more."""

from __future__ import annotations

from orchestrator.cli.asking import Asking, ask, filters


def cancel(
    *ids: str,
    state: str | None = None,
    to: str | None = None,
    rule: str | None = None,
    key: str | None = None,
    since: str | None = None,
    until: str | None = None,
    reason: str = "cancelled by hand",
    yes: bool = False,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Cancel commands that wait or are parked: those named, all or none; or all that are found, once they were counted.

    They are never sent again, and the event `orchestrator.command.cancelled` tells rules. What is being sent or is done
    cannot be cancelled.

    Example: orchestrator commands cancel --state retrying --to police --reason "the form was wrong"

    Parameters
    ----------
    ids
        The commands, as `orchestrator commands list` shows them.
    state
        Instead of ids: pending, retrying, waiting or parked. Says that all are meant, if nothing else is said; without
        it, other filters find commands in all four.
    to
        Only those for this target.
    rule
        Only those of this rule.
    key
        Only those of this key.
    since
        Only those decided for a time that is not before: RFC 3339, or how long ago, such as 15m.
    until
        Only those decided for a time before: RFC 3339, or how long ago.
    reason
        Kept with the command, and told to rules.
    yes
        Do not ask. Without it, and without a terminal to ask at, they are only counted.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    asking = Asking("cancel", "cancelled", ("pending", "retrying", "waiting", "parked"), (("reason", reason),))
    return ask(asking, ids, state, filters(to, rule, key, since, until), yes=yes, url=url, json=json)
