"""`orchestrator commands redrive`: sends parked commands again."""

from __future__ import annotations

from typing import Final

from orchestrator.cli.asking import Asking, ask, filters

_REDRIVE: Final = Asking("redrive", "redriven", ("parked",))


def redrive(
    *ids: str,
    state: str | None = None,
    to: str | None = None,
    rule: str | None = None,
    key: str | None = None,
    since: str | None = None,
    until: str | None = None,
    yes: bool = False,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Send parked commands again: those named, all or none; or all that are found, after they were counted.

    Their ids stay the same, so a receiver that remembers ids does nothing twice; their attempts count on.

    Example: orchestrator commands redrive --state parked --to police

    Parameters
    ----------
    ids
        The commands, as `orchestrator commands list` shows them.
    state
        Instead of ids: `parked`, the only state that is redriven. Says that all are meant, if nothing else is said.
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
    yes
        Do not ask. Without it, and without a terminal to ask at, they are only counted.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    return ask(_REDRIVE, ids, state, filters(to, rule, key, since, until), yes=yes, url=url, json=json)
