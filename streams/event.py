"""The event as the log stores it: CloudEvents 1.0 attributes, time parsed once, `data` kept as raw JSON text.

An entry of the log is a run of JSON lines, one event a line, each an array in the order of the fields below: people can
read it with `jq`, and one C call decodes a whole entry. `data` stays undecoded until somebody needs it (`payload`).

Intake (`streams/intake.py`) makes events out of what producers send and refuses what breaks the rules; what this module
decodes was checked there, or was written by ourselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from streams import rfc3339

OUTSIDE: Final = 0
"""Published by a producer: the only kind of business event that moves its key's clock."""
DERIVED: Final = 1
"""Made by an `emit` action."""
RESULT: Final = 2
"""What became of a command: `orchestrator.command.…`."""
CONTROL: Final = 3
"""Speaks to the engine or of it, never to rules: ticks, modes, activations, forwarded events, unparks, what
people ask for commands and targets, circuit breakers."""

RESERVED: Final = "orchestrator."
"""Types that begin so are refused from outside."""

TICK: Final = "orchestrator.tick"
MODE: Final = "orchestrator.mode"
ACTIVATED: Final = "orchestrator.rules.activated"
FORWARDED: Final = "orchestrator.forwarded"
COPIED: Final = "orchestrator.copied"
"""A row of a projection with `scope: everywhere` as its owner has it now (`Copied`)."""
UNPARKED: Final = "orchestrator.key.unparked"
SKIPPED: Final = "orchestrator.key.skipped"
REDRIVEN: Final = "orchestrator.command.redriven"
"""People ask that parked commands be sent again; `ids` in its data."""
CANCELLING: Final = "orchestrator.command.cancelling"
"""People ask that commands be cancelled; `ids` and `reason` in its data."""
FALLBACK: Final = "orchestrator.command.fallback"
"""Delivery asks for what is to happen in a command's stead (`Instead`)."""
EXPIRING: Final = "orchestrator.command.expiring"
"""People ask that commands expire before their time; `ids` and `reason` in its data."""
OPENED: Final = "orchestrator.target.opened"
"""Delivery tells that the circuit breaker of a target opened, in the partition whose attempt made it…"""
CLOSED: Final = "orchestrator.target.closed"
"""…or closed again."""
PAUSING: Final = "orchestrator.target.pausing"
"""People ask that a target be paused; `target` and `reason` in its data."""
RESUMING: Final = "orchestrator.target.resuming"
"""People ask that a target be resumed; `target` in its data."""
ALARM: Final = "orchestrator.target.alarm"
"""Delivery has something to tell people of a target: commands to the target `alerts` (`Instead`)."""
ARMING: Final = "orchestrator.delivery.arming"
"""People confirm what would be sent after a restore; `count` and `until` in its data: every disarming up to then."""
FORKED: Final = "orchestrator.log.forked"
"""Events were lost here, and offsets given anew from this place on (`streams.log.Fork`)."""
UNDECODABLE: Final = "orchestrator.undecodable"
"""Stands in for a stored line that cannot be read; never written, only returned by `decode`."""

OURSELVES: Final = "orchestrator"
"""The `source` of every event that the system makes itself."""


class Event(msgspec.Struct, array_like=True, gc=False):
    """One immutable event. Nobody changes a field after intake."""

    type: str
    time: int
    """When it happened: microseconds since 1970-01-01T00:00:00Z."""
    key: str
    """The partition key: the `partitionkey` attribute, by default the subject."""
    subject: str
    source: str
    id: str
    fingerprint: int
    """The first 63 bits of BLAKE2b over source and id: what duplicates are recognised by. 0 for control events."""
    data: msgspec.Raw
    """JSON text; `null` where the producer sent none."""
    kind: int = OUTSIDE
    hops: int = 0
    """How many derived events, commands and results lie between this one and an event from outside."""
    extensions: dict[str, str | int | bool] | None = None
    """CloudEvents extension attributes and optional attributes (dataschema, datacontenttype), as they came."""

    def payload(self) -> Any:
        """`data`, decoded. Raises msgspec.DecodeError or RecursionError for what is no JSON or nested too deep."""
        return msgspec.json.decode(self.data)

    def document(self) -> dict[str, Any]:
        """As CloudEvents 1.0 in JSON; `data` stays raw, for msgspec to write."""
        shown: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": rfc3339.format(self.time),
        }
        if self.key != self.subject:
            shown["partitionkey"] = self.key
        return {**shown, **(self.extensions or {}), "data": self.data}


class Forwarded(msgspec.Struct, array_like=True, gc=False):
    """The data of a control event of type FORWARDED, whose key is the key that the route computed.

    `route` is the id of the `by` expression; "" is a derived event, which every rule of its own key sees. `partition`
    and `offset` say where the event came from."""

    route: str
    partition: int
    offset: int
    event: Event


class Copied(msgspec.Struct, array_like=True, gc=False):
    """The data of a control event of type COPIED, whose key is the row's.

    `projection` is the id of its definition; without `row` it was deleted."""

    projection: str
    row: dict[str, Any] | None
    partition: int
    offset: int


NULL: Final = msgspec.Raw(b"null")
_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


def fingerprint(source: str, id: str) -> int:
    """63 bits that stand for (source, id); never 0. Two different pairs share one with probability 1e-19."""
    digest = hashlib.blake2b(f"{len(source)}:{source}{id}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 1) or 1


def control(type: str, data: Any, *, time: int, key: str = "", id: str = "") -> Event:
    """A control event: `data` is anything that msgspec can write as JSON."""
    return Event(type, time, key, key, OURSELVES, id, 0, msgspec.Raw(_encoder.encode(data)), CONTROL)


def encode(events: Iterable[Event]) -> bytes:
    """JSON lines of events, the body of one entry of the log."""
    return _encoder.encode_lines(list(events))


def decode(body: bytes) -> list[Event]:
    """The events of one entry. A line that cannot be read becomes an event of type UNDECODABLE whose data says why,
    so that one bad line neither hides its neighbours nor shifts their offsets."""
    try:
        return _decoder.decode_lines(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_decode_line(line) for line in body.splitlines()]


def _decode_line(line: bytes) -> Event:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = {"error": str(error), "line": line[:1000].decode("utf-8", "replace")}
        return control(UNDECODABLE, reason, time=0)
