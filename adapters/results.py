"""Results of commands as events, appended to the partition that decided, so that rules may react to them (RULES.md §6).

Their ids follow from the command's, so that the same outcome is the same event however often it is told. Pure.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from adapters.breaker import Switch
from adapters.ledger import Entry
from streams import rfc3339
from streams.event import CLOSED, FALLBACK, OPENED, OURSELVES, RESULT, Event, control, fingerprint
from streams.outputs import Instead

LARGEST: Final = 64 * 1024
"""Bytes of JSON that an adapter's result may take."""


def succeeded(entry: Entry, now: int) -> Event:
    return _event(entry, "succeeded", "succeeded", {"result": entry.result}, now)


def parked(entry: Entry, now: int) -> Event:
    """One for each time it is parked: a redriven command may be parked again."""
    return _event(entry, "parked", f"parked.{entry.parked}", {"reason": entry.last_error}, now)


def cancelled(entry: Entry, now: int) -> Event:
    return _event(entry, "cancelled", "cancelled", {"reason": entry.last_error}, now)


def expired(entry: Entry, now: int) -> Event:
    return _event(entry, "expired", "expired", {"reason": entry.last_error}, now)


def fallback(entry: Entry, now: int) -> Event | None:
    """Asks evaluation for what is to happen in its stead; None where nothing is."""
    terms = entry.command.terms
    if terms is None or not terms.fallback:
        return None
    id = f"{entry.command.id}.fallback"
    return control(FALLBACK, Instead(entry.command.id, terms.fallback), time=now, key=entry.command.key, id=id)


def switched(target: str, switch: Switch) -> Event:
    """The breaker of a target opened or closed."""
    data: dict[str, Any] = {"target": target}
    if switch.open:
        data |= {"until": rfc3339.format(switch.until), "pauses": switch.pauses, "reason": switch.reason}
    type = OPENED if switch.open else CLOSED
    return control(type, data, time=switch.at, key=target, id=f"{type}.{target}.{switch.at}")


def _event(entry: Entry, what: str, suffix: str, more: dict[str, Any], now: int) -> Event:
    command = entry.command
    data = {
        "id": command.id,
        "command": command.command,
        "to": command.to,
        "rule": command.rule,
        "attempts": entry.attempts,
        **more,
    }
    id = f"{command.id}.{suffix}"
    return Event(
        f"orchestrator.command.{what}",
        now,
        command.key,
        command.key,
        OURSELVES,
        id,
        fingerprint(OURSELVES, id),
        msgspec.Raw(msgspec.json.encode(data)),
        RESULT,
        command.hops + 1,
    )


def plain(result: Any) -> Any:
    """What an adapter hands back, as JSON that fits into an event; a note where it is none or does not."""
    try:
        text = msgspec.json.encode(result)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return {"unreadable": clean(f"the adapter's result is no JSON: {error}")}
    if len(text) > LARGEST:
        return {"unreadable": f"the adapter's result has {len(text):,} bytes, more than the {LARGEST:,} kept"}
    return msgspec.json.decode(text)


def clean(text: str) -> str:
    """Texts of errors may hold what is no Unicode."""
    return text.encode("utf-8", "replace").decode()
