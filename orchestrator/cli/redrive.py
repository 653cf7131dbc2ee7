"""`orchestrator commands redrive`: sends parked commands again."""

from __future__ import annotations

from typing import Final

from orchestrator.cli.asking import Asking, ask
from orchestrator.cli.which import Ids, Key, Rule, Since, To, Until, Yes, filters

_REDRIVE: Final = Asking("redrive", "redriven", ("parked",))


def redrive(
    *ids: Ids,
    state: str | None = None,
    to: To = None,
    rule: Rule = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    yes: Yes = False,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Send parked commands again: those named, all or none; or all that are found, after they were counted.

    Their ids stay the same, so a receiver that remembers ids does nothing twice; their attempts count on.

    Example: orchestrator commands redrive --state parked --to police

    Parameters
    ----------
    state
        Instead of ids: `parked`, the only state that is redriven. Says that all are meant, if nothing else is said.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    return ask(_REDRIVE, ids, state, filters(to, rule, key, since, until), yes=yes, url=url, json=json)
