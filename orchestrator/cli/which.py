"""Which commands are meant: the options of all that list commands or ask for them."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from orchestrator.cli.times import moment

Ids = Annotated[str, Parameter(help="The commands, as `orchestrator commands list` shows them.")]
EndableState = Annotated[
    str | None,
    Parameter(
        help="Instead of ids: pending, retrying, waiting or parked. Says that all are meant, if nothing else is said; "
        "without it, other filters find commands in all four."
    ),
]
To = Annotated[str | None, Parameter(help="Only those for this target.")]
Rule = Annotated[str | None, Parameter(help="Only those of this rule.")]
Key = Annotated[str | None, Parameter(help="Only those of this key.")]
Since = Annotated[
    str | None,
    Parameter(help="Only those decided for a time that is not before: RFC 3339, or how long ago, such as 15m."),
]
Until = Annotated[str | None, Parameter(help="Only those decided for a time before: RFC 3339, or how long ago.")]
Reason = Annotated[str, Parameter(help="Kept with the command, and told to rules.")]
Yes = Annotated[
    bool, Parameter(help="Do not ask. Without it, and without a terminal to ask at, they are only counted.")
]


def filters(
    to: str | None, rule: str | None, key: str | None, since: str | None, until: str | None
) -> dict[str, str | None]:
    """As `GET /v1/commands` has them. Raises CommandFailed."""
    times = {"since": moment("--since", since), "until": moment("--until", until)}
    return {"to": to, "rule": rule, "key": key, **times}
