"""What people ask for commands, from the command line: for those that are named, or for all that a filter finds.

With a filter it counts first, says what it found, and goes on only when told to. Commands that changed meanwhile,
because somebody else asked or they were sent, are left out and counted; the rest go in batches, in the order in which
they were decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.cli.client import Client, Refused, body, connect
from orchestrator.cli.confirm import confirmed
from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, note, one_line, progress

PAGE: Final = 1_000
BATCH: Final = 500
PATIENCE: Final = 60.0
"""Seconds that one request is repeated while the server is away or has no room."""
REASONS: Final = 5
"""Reasons shown, the most frequent."""
_CHANGED: Final = (404, 409)


@dataclass(frozen=True)
class Asking:
    verb: str
    """As in `/v1/commands/VERB`."""
    done: str
    """As the answer counts them."""
    states: tuple[str, ...]
    """In which it can be asked."""
    more: tuple[tuple[str, Any], ...] = ()
    """What goes along with the ids."""

    @property
    def fitting(self) -> str:
        return ", ".join(self.states[:-1]) + " or " + self.states[-1] if len(self.states) > 1 else self.states[0]


def ask(
    asking: Asking,
    ids: Sequence[str],
    state: str | None,
    filters: dict[str, str | None],
    *,
    yes: bool,
    url: str | None,
    json: bool,
) -> int:
    """The exit status. Raises CommandFailed."""
    wanted = state is not None or any(value is not None for value in filters.values())
    if bool(ids) == wanted:
        example = f"--state {asking.states[-1]}"
        raise CommandFailed(
            f"name commands by their ids, or find them: {example}, --to, --rule, --key, --since, --until", USAGE
        )
    if state is not None and state not in asking.states:
        raise CommandFailed(
            f"--state={state}: only what is {asking.fitting} is {asking.done}: --state {asking.states[-1]}", USAGE
        )
    with connect(url) as client:
        if ids:
            found = client.call("POST", _path(asking), _body(asking, ids))
            if json:
                json_line(found)
            else:
                line(f"{found[asking.done]:,} {asking.done}")
            return OK
        return _ask_for_found(client, asking, (state,) if state is not None else asking.states, filters, yes, json)


def _ask_for_found(
    client: Client, asking: Asking, states: tuple[str, ...], filters: dict[str, str | None], yes: bool, json: bool
) -> int:
    found = _count(client, states, filters)
    ids = list(found)
    if ids and not json:
        _say(found)
    if ids and not yes and (json or not confirmed(f"{asking.verb} {len(ids):,} commands?")):
        if json:
            json_line({"found": len(ids), asking.done: 0, "changed": 0})
        note(f"nothing was {asking.done}: add --yes")
        return USAGE
    done, changed = _send(client, asking, ids)
    if json:
        json_line({"found": len(ids), asking.done: done, "changed": changed})
    elif ids:
        line(f"{done:,} {asking.done}" + (f"; {changed:,} had changed meanwhile" if changed else ""))
    else:
        line(f"no command that is {' or '.join(states)} fits")
    return OK


def _count(client: Client, states: tuple[str, ...], filters: dict[str, str | None]) -> dict[str, tuple[str, str, str]]:
    """Id → (state, target, reason), of each state the newest first."""
    found: dict[str, tuple[str, str, str]] = {}
    for state in states:
        cursor = None
        while True:
            query: dict[str, Any] = {**filters, "state": state, "limit": PAGE, "cursor": cursor}
            page = client.call("GET", "/v1/commands", query=query)
            for each in page["commands"]:
                found[each["id"]] = (state, each["to"], one_line(each["last_error"] or "-", 100))
            cursor = page["next"]
            if cursor is None:
                break
    return found


def _say(found: dict[str, tuple[str, str, str]]) -> None:
    """How many of which state, to which targets, and why they are not done."""
    states = Counter(state for state, _, _ in found.values())
    targets = Counter(target for _, target, _ in found.values())
    reasons = Counter(reason for _, _, reason in found.values())
    line(
        ", ".join(f"{count:,} {state}" for state, count in states.items())
        + ": "
        + ", ".join(f"{count:,} to {target}" for target, count in targets.most_common())
    )
    for reason, count in reasons.most_common(REASONS):
        line(f"  {count:>9,}  {reason}")
    if len(reasons) > REASONS:
        line(f"             and {len(reasons) - REASONS:,} other reasons")


def _send(client: Client, asking: Asking, ids: list[str]) -> tuple[int, int]:
    """(done, changed meanwhile)."""
    done = changed = 0
    left = ids[:]
    with progress(asking.verb) as advance:
        while left:
            batch = dict.fromkeys(left[-BATCH:])
            del left[-BATCH:]
            while batch:
                sent = _body(asking, [*reversed(batch)])
                try:
                    found = client.patient("POST", _path(asking), sent, within=PATIENCE)
                except Refused as error:
                    id = error.document.get("id")
                    if error.http_status not in _CHANGED or id not in batch:
                        raise
                    del batch[id]
                    changed += 1
                else:
                    done += found[asking.done]
                    changed += len(batch) - found[asking.done]
                    break
            advance(len(ids) - len(left), len(ids))
    return done, changed


def _path(asking: Asking) -> str:
    return f"/v1/commands/{asking.verb}"


def _body(asking: Asking, ids: Sequence[str]) -> bytes:
    return body({"ids": list(dict.fromkeys(ids)), **dict(asking.more)})
