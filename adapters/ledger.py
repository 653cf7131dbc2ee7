"""The ledger: what is known of each command, one row of the processor `delivery` per command, named by its id.

Beside the commands there are rows whose names begin with `#`: `CURSOR` says how far the outputs were read, others name
the last command of a lane (`lanes.py`). Rows of commands are JSON, because what rules put into one may hold integers of
any size. The due time of a row is that of its entry: when it may first be taken. A leased one keeps it, so whoever
takes a partition over finds first what was in flight when its owner died.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from streams import rfc3339
from streams.log import Log, LogDamaged
from streams.outputs import Command, Derived
from streams.state import NEVER, Change

DELIVERY: Final = "delivery"
"""The name of the processor."""
CURSOR: Final = "#outputs"
"""Never an id: those are hexadecimal."""
BESIDE: Final = "#"
"""How the names of all rows begin that are no commands."""
MOST_ATTEMPTS: Final = 50
"""Of one command, that are kept: the first, and the newest."""
LONGEST_EXCERPT: Final = 300
"""Characters of an attempt's reason."""
LONGEST_REASON: Final = 1_000
"""Characters of `last_error`."""


class State(enum.StrEnum):
    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    RETRYING = "retrying"
    WAITING = "waiting"
    """The target has taken it, and what comes of it is asked for from time to time."""
    DONE = "done"
    PARKED = "parked"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SHADOW = "shadow"
    """Decided by a rule in shadow: recorded, never sent."""


OPEN: Final = frozenset((State.PENDING, State.IN_FLIGHT, State.RETRYING, State.WAITING))
"""States that delivery still has something to do about."""


class Attempt(msgspec.Struct, array_like=True, frozen=True):
    """What came of one attempt. Times in microseconds."""

    number: int
    at: int
    """When its lease was given."""
    took: int
    verdict: str
    """As `work.Verdict`, or `lease_expired`."""
    status: str
    """The target's own word for it, such as `503`."""
    reason: str

    def document(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": _moment(self.at),
            "seconds": self.took / 1e6,
            "outcome": self.verdict,
            "status": self.status or None,
            "reason": self.reason or None,
        }


class Entry(msgspec.Struct, array_like=True):
    """Times in microseconds since 1970 by the wall clock, 0 for never."""

    command: Command
    number: int
    """Its place in the partition's outputs."""
    state: State = State.PENDING
    due: int = 0
    """When it may be taken: intake, then the time of the next attempt."""
    attempts: int = 0
    """Counted when a lease is given, so an attempt that its process did not survive counts."""
    first_attempt: int = 0
    last_attempt: int = 0
    last_error: str = ""
    result: Any = None
    epoch: int = 0
    """Of the owner that gave the lease: with a newer owner the lease is over, unless it was given `outside`."""
    deadline: int = 0
    """When the lease runs out."""
    round_began: int = 0
    """The first attempt since it was last redriven."""
    attempts_before: int = 0
    """How many attempts were made before it was last redriven."""
    parked: int = 0
    """How often it was parked."""
    progress: Any = None
    """JSON values that an attempt left for the next one. Not None once the target has taken it, until it is over."""
    leased_at: int = 0
    """When the newest lease was given."""
    history: list[Attempt] = []
    lane: bool = False
    """Whether it stands in a lane (`lanes.py`)…"""
    before: str = ""
    """…behind this command…"""
    after: str = ""
    """…and before this one."""
    ended: int = 0
    """When it was done, cancelled, expired or last parked, or recorded in shadow."""
    fell_back: bool = False
    """Whether its fallback was asked for."""
    outside: bool = False
    """Whether the newest lease is of a worker elsewhere, and so holds when the partition gets another owner."""
    looks_failed: int = 0
    """How often in a row it could not be asked what comes of what the target has taken…"""
    look_failed: int = 0
    """…and when for the first time."""

    @property
    def round_attempts(self) -> int:
        """What the retry policy counts."""
        return self.attempts - self.attempts_before

    @property
    def timeout(self) -> int:
        """Microseconds that an attempt may take, 0 for what the target says."""
        return self.command.terms.timeout if self.command.terms is not None else 0

    def expired(self, now: int) -> bool:
        """Whether it is too late to send it. What is being sent may still succeed."""
        return self.command.expires_at <= now

    def expire(self) -> None:
        last = f"; the last: {self.last_error}" if self.last_error else ""
        self.state = State.EXPIRED
        self.fail(f"it had to succeed by {rfc3339.format(self.command.expires_at)}{last}")

    def record(self, attempt: Attempt) -> None:
        if len(self.history) >= MOST_ATTEMPTS:
            del self.history[1]
        self.history.append(attempt)

    def fail(self, reason: str) -> None:
        self.last_error = reason[:LONGEST_REASON]

    def change(self) -> Change:
        return Change(self.command.id, _encoder.encode(self), self.due if self.state in OPEN else NEVER)

    def summary(self) -> dict[str, Any]:
        """The item that `GET /v1/commands` answers."""
        return document(self.command) | {
            "state": self.state.value,
            "attempts": self.attempts,
            "last_error": self.last_error or None,
            "next_at": _moment(self.due) if self.state in (State.PENDING, State.RETRYING, State.WAITING) else None,
            "first_attempt_at": _moment(self.first_attempt),
            "last_attempt_at": _moment(self.last_attempt),
            "lease_until": _moment(self.deadline) if self.state is State.IN_FLIGHT else None,
            "waits_for": self.before or None,
            "result": self.result,
            "history": [attempt.document() for attempt in self.history],
            **_terms(self.command),
        }


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry | int)


def cursor(number: int) -> Change:
    """The row that says how far the outputs were read."""
    return Change(CURSOR, _encoder.encode(number))


def read_cursor(value: bytes) -> int:
    found = _decode(CURSOR, value)
    if not isinstance(found, int):
        raise LogDamaged(f"the row {CURSOR} of delivery holds no number: {value[:80]!r}")
    return found


def read(name: str, value: bytes) -> Entry | None:
    """The entry in a row of delivery's state, None for a row that is not a command. Raises LogDamaged."""
    if name.startswith(BESIDE):
        return None
    found = _decode(name, value)
    return found if isinstance(found, Entry) else None


def entry(name: str, value: bytes) -> Entry:
    """The entry of a command. Raises LogDamaged."""
    found = read(name, value)
    if found is None:
        raise LogDamaged(f"the row of command {name} in delivery's state holds no command")
    return found


def find(log: Log, partition: int, ids: Iterable[str]) -> dict[str, Entry]:
    """Those of these commands that this partition decided, as they are stored. Raises LogDamaged."""
    found = log.rows(partition, DELIVERY, [id for id in ids if not id.startswith(BESIDE)])
    return {id: entry(id, value) for id, value in found.items()}


def document(command: Command) -> dict[str, Any]:
    """`Command.document`, with `at` null where no text can say it: deadlines may lie beyond the year 9999."""
    try:
        return command.document()
    except OverflowError:
        return msgspec.structs.replace(command, at=0).document() | {"at": None}


def _terms(command: Command) -> dict[str, Any]:
    """Its terms, if it has any. Times in seconds; an end that no text can say is none."""
    terms = command.terms
    if terms is None:
        return {}
    return {
        "timeout": terms.timeout / 1e6 or None,
        "expires_at": _moment(command.expires_at),
        "order": "key" if terms.order else None,
        "fallback": [_fallback(each) for each in terms.fallback],
    }


def _fallback(output: Command | Derived) -> dict[str, Any]:
    if isinstance(output, Command):
        return document(output) | _terms(output)
    event = output.event
    return {"id": event.id, "emit": event.type, "subject": event.subject, "data": event.payload()}


def _moment(micros: int) -> str | None:
    """None for never, and for what no text can say: a retry may be due beyond the year 9999."""
    try:
        return rfc3339.format(micros) if micros else None
    except OverflowError:
        return None


def _decode(name: str, value: bytes) -> Entry | int:
    try:
        found: Entry | int = _decoder.decode(value)
        return found
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LogDamaged(f"the row {name} of delivery's state cannot be read: {error}") from error
