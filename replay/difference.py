"""What a verification found that is not as a replay says: one difference, for people and as JSON.

`expected` is what the replay came to, `stored` what the log holds, both decoded as far as they can be, None for
nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from streams.outputs import Command, Output
from streams.state import BLOCKED, CELL, COPY, FINGERPRINTS, PARTITION, WAITING, Cell

_LONGEST: Final = 2_000
"""Characters of a value in the text for people."""


class Kind(enum.StrEnum):
    ROW = "row"
    DUE = "due"
    """The index of due times does not say what the rows say."""
    COMMAND = "command"
    OUTPUT = "output"
    """Another output than a command: derived event, forward, decision."""
    DELIVERY = "delivery"
    """Delivery's ledger does not hold the commands that were decided."""
    HISTORY = "history"
    """The events cannot be evaluated again at all."""
    STORAGE = "storage"
    """Bytes that cannot be read."""


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Kind
    partition: int
    message: str
    """One sentence."""
    name: str = ""
    """The row's name or the command's id."""
    offset: int = 0
    """The event in whose step it was decided; 0 where that is not known."""
    expected: Any = None
    stored: Any = None

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "partition": self.partition,
            "message": self.message,
            "name": self.name,
            "offset": self.offset or None,
            "expected": self.expected,
            "stored": self.stored,
        }

    def text(self) -> str:
        where = f"partition {self.partition}" + (f", offset {self.offset}" if self.offset else "")
        lines = [f"{where}: {self.message}"]
        if self.expected is not None or self.stored is not None:
            lines += [f"  replayed: {_shown(self.expected)}", f"  stored:   {_shown(self.stored)}"]
        return "\n".join(lines)


class DifferenceFound(Exception):
    """Ends a comparison."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.message)
        self.difference = difference


def row_difference(partition: int, name: str, expected: bytes | None, stored: bytes | None) -> Difference:
    what = _row_name(name)
    if stored is None:
        message = f"{what} is missing"
    elif expected is None:
        message = f"{what} should not be there"
    else:
        message = f"{what} is not what the events make of it"
    return Difference(
        Kind.ROW, partition, message, name, expected=decoded(name, expected), stored=decoded(name, stored)
    )


def output_difference(
    partition: int, number: int, expected: Output | None, stored: Output | None, message: str
) -> Difference:
    """`message` follows what is spoken of, such as "is missing"."""
    spoken = expected if expected is not None else stored
    assert spoken is not None, "one of the two is there"
    if isinstance(spoken, Command):
        kind, name = Kind.COMMAND, spoken.id
        what = f"command {spoken.id} (rule {spoken.rule}, key {spoken.key}, output {number})"
    else:
        kind, name = Kind.OUTPUT, ""
        what = f"output {number}, {type(spoken).__name__.lower()}"
    return Difference(
        kind, partition, f"{what} {message}", name, spoken.offset, _plain_output(expected), _plain_output(stored)
    )


def decoded(name: str, value: bytes | None) -> Any:
    """A row of state as JSON values; text that says so if it cannot be decoded."""
    if value is None:
        return None
    try:
        if name[:1] == CELL:
            return msgspec.to_builtins(
                dict(zip(Cell.__struct_fields__, msgspec.msgpack.decode(value), strict=False)), str_keys=True
            )
        if name[:1] == FINGERPRINTS:
            return f"{(len(value) - 8) // 8} fingerprints"
        return msgspec.to_builtins(msgspec.msgpack.decode(value), str_keys=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, ValueError) as error:
        return f"{len(value)} bytes that cannot be decoded ({error}): {value[:40].hex()}"


def _row_name(name: str) -> str:
    key = name[1:]
    match name[:1]:
        case letter if letter == CELL:
            return f"the state of key `{key}`"
        case letter if letter == BLOCKED:
            return f"what is known of the blocked key `{key}`"
        case letter if letter == WAITING:
            return f"chunk {int(key[:8])} of what waits behind the parked event of key `{key[8:]}`"
        case letter if letter == PARTITION and not key:
            return "the partition's own state"
        case letter if letter == COPY:
            projection, _, copied = key.partition("/")
            return f"the copy of the row of key `{copied}` (projection {projection})"
        case letter if letter == FINGERPRINTS:
            return f"chunk {key} of the remembered fingerprints"
        case _:
            return f"the row `{name}`"


def _plain_output(output: Output | None) -> Any:
    if output is None:
        return None
    if isinstance(output, Command):
        fields = {field: getattr(output, field) for field in Command.__struct_fields__}
        return msgspec.to_builtins(fields, str_keys=True)
    return msgspec.json.decode(msgspec.json.encode(output))


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
