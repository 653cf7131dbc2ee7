"""What a step puts out, beside changes of state: commands, derived events, forwards, decisions, and what people ask.

Outputs of one commit are one batch in the partition's outputs log, numbered without gaps from 1. Delivery reads the
commands and what is asked of them, the router (`streams/routes.py`) forwards and copies, people and verification all
of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from streams import rfc3339
from streams.event import Event
from streams.state import NEVER


class Terms(msgspec.Struct, array_like=True, frozen=True):
    """How a command is to be delivered, where its rule says more than the target. Times in microseconds, 0 for none."""

    timeout: int = 0
    """That one attempt may take."""
    expires: int = 0
    """After `Command.at`: by then it has succeeded, or it expires."""
    order: bool = False
    """The commands of one key and target with this are delivered one after the other."""
    fallback: tuple[Command | Derived, ...] = ()
    """What is put out in its stead when it is parked or expires, whole."""


class Command(msgspec.Struct, array_like=True, tag="command", frozen=True):
    """A decision that an adapter delivers. Its id is `streams.digest.firing_id` of what caused it."""

    id: str
    command: str
    to: str
    rule: str
    key: str
    at: int
    """The firing time, microseconds since 1970."""
    cause: str
    """The id of the event that caused it (RULES.md §13)."""
    args: dict[str, Any]
    args_digest: str
    shadow: bool = False
    hops: int = 0
    offset: int = 0
    """The event or tick in whose step it was decided."""
    terms: Terms | None = None

    @property
    def expires_at(self) -> int:
        """Microseconds since 1970; NEVER without an end."""
        return self.at + self.terms.expires if self.terms is not None and self.terms.expires else NEVER

    def document(self) -> dict[str, Any]:
        """The command as everybody outside sees it: a line of `simulate`'s OUT, the body a webhook receives."""
        shown: dict[str, Any] = {
            "id": self.id,
            "command": self.command,
            "to": self.to,
            "rule": self.rule,
            "key": self.key,
            "at": rfc3339.format(self.at),
            "cause": self.cause,
            "args": self.args,
        }
        if self.shadow:
            shown["shadow"] = True
        return shown


class Derived(msgspec.Struct, array_like=True, tag="derived", frozen=True):
    """An event that a rule emitted for its own key: handled at once, recorded here so that it can be seen."""

    rule: str
    event: Event
    shadow: bool = False
    offset: int = 0


class Forward(msgspec.Struct, array_like=True, tag="forward", frozen=True):
    """An event on its way to another key, as `orchestrator.forwarded` in the partition that owns it.

    `route` is the id of the `by` expression that the key came from; "" is a derived event, which all rules of its own
    key see."""

    route: str
    key: str
    event: Event
    offset: int = 0


class Copy(msgspec.Struct, array_like=True, tag="copy", frozen=True):
    """A row of a projection with `scope: everywhere`, on its way to all other partitions as `orchestrator.copied`.

    `projection` is the id of its definition; without `row` it was deleted."""

    projection: str
    key: str
    row: dict[str, Any] | None
    time: int
    """Of the event that changed it."""
    offset: int = 0


class Decision(msgspec.Struct, array_like=True, tag="decision", frozen=True):
    """An event that was not evaluated: `verdict` is parked, blocked, skipped or looped."""

    verdict: str
    offset: int
    key: str
    source: str
    id: str
    reason: str


class Asked(msgspec.Struct, array_like=True, tag="asked", frozen=True):
    """What people ask for commands that this partition decided: `action` is redrive, cancel or expire. Delivery does
    it for those whose state allows it when it comes to this output, and leaves the others. Or for targets: pause or
    resume; or for all that was disarmed up to a moment: arm."""

    action: Literal["redrive", "cancel", "expire", "pause", "resume", "arm"]
    ids: tuple[str, ...]
    """Of commands, or names of targets, or the moment."""
    reason: str = ""
    offset: int = 0


class Instead(msgspec.Struct, array_like=True, frozen=True):
    """The data of a control event of type FALLBACK: what is to happen in the stead of a command that was given up."""

    command: str
    """Its id."""
    outputs: tuple[Command | Derived, ...]

    def put_out(self, now: int, offset: int) -> Iterator[Output]:
        """As decided at `now`, microseconds, by the event at `offset`: their time to succeed begins there. Events go
        the way of those for another key, and so reach the rules of theirs."""
        for output in self.outputs:
            if isinstance(output, Derived):
                yield Forward("", output.event.key, output.event, offset)
                continue
            terms = output.terms
            if terms is not None and terms.expires:
                terms = msgspec.structs.replace(terms, expires=terms.expires + max(0, now - output.at))
            yield msgspec.structs.replace(output, offset=offset, terms=terms)


Output = Command | Derived | Forward | Copy | Decision | Asked

_decoder = msgspec.json.Decoder(Command | Derived | Forward | Copy | Decision | Asked)
_instead = msgspec.json.Decoder(Instead)
_encoder = msgspec.json.Encoder()


def encode(outputs: Iterable[Output]) -> bytes:
    """JSON lines, the body of one batch of the outputs log."""
    return _encoder.encode_lines(list(outputs))


def decode(body: bytes) -> list[Output]:
    return _decoder.decode_lines(body)


def read_instead(data: bytes) -> Instead:
    return _instead.decode(data)
