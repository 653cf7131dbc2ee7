"""Where the query tables of a partition lie in Redis, and in which form.

All keys of a partition begin with `{<name>:<partition>}:q`, where `name` is the log's, and so share a hash slot with
each other and with the log's own: what a server loses, a restart or a failover perhaps, it loses of both, and what is
shown is never ahead of the log.

    …:q                   hash     `at:<unit>` its position · `seen:<unit>` when it was last written, in seconds of the
                                   server's clock · `claims` how many replacements there were
    …:q:<unit>            hash     rows: key → codes and JSON (`rows.py`) · commands: id → head and summary
    …:q:<unit>:i          zset     entries of what is listed, all with score 0: their order is that of their bytes
    …:q:<unit>:n          hash     of commands that are not settled, how many: digests of state and target → number
    …:q:b:<unit>[:i|:n]            the same while a replacement is built
    …:q:held:<processor>  string   the number of the replacement that is being built, and the run in which it was begun;
                                   goes by itself if its builder died

A **unit** is what has a position of its own: one for the commands, one for each projection, named by the id of its
definition, the format, and a digest of its `index`. So an edited projection, or one with another index, is another unit
beside the old one, processes of two rule sets share what both have, and none ever rewrites what the other shows.

**Entries of commands.** For each command one entry for its time, target, rule and key, and one for its state unless
that is settled: `<letter> <digest of the value> <at> <id>`. One walk down such a range is a filtered list, newest
first and exact for every 64-bit time: scores are doubles, which know no single microseconds after the year 2255. One
set holds all entries, so that a partition has three keys for its commands however many rules and keys they have. The
digest (128 bits) makes entries short, and of one length whatever bytes are in a value. A command's head repeats what
its entries are made of, so that scripts filter and update without reading JSON.

**Entries of rows** lie in the same way in `:i` of their unit: one for the key, one for the value of each indexed field,
encoded so that bytes sort as values do. A partition's list is one walk over those of the field that sorts, or those of
a condition that few rows fulfil, sorted; the lists are merged by value and key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from projections.store import CommandFilter, Place
from projections.table import DELIVERY, RULES, SETTLED, CommandRow, QueryTable

FORMAT: Final = 2
"""Of rows."""
COMMANDS: Final = "commands.2"
STATE: Final = b"s"
TARGET: Final = b"o"
RULE: Final = b"r"
KEY: Final = b"k"
DIGEST: Final = 16


class Layout:
    """The names of one log's tables as one process knows them."""

    def __init__(self, name: str, tables: Sequence[QueryTable]) -> None:
        self._name = name
        self._units = sorted(unit(table) for table in tables)

    def head(self, partition: int) -> str:
        return f"{{{self._name}:{partition}}}:q"

    def rows(self, partition: int, unit: str) -> str:
        return f"{self.head(partition)}:{unit}"

    def held(self, partition: int, processor: str) -> str:
        return f"{self.head(partition)}:held:{processor}"

    def units(self, processor: str) -> list[str]:
        """What a processor of this process moves. Rules without projections move a unit that has no rows, so that the
        log may forget."""
        return [COMMANDS] if processor == DELIVERY else self._units or [RULES]


def unit(table: QueryTable) -> str:
    fields = f".{digest(' '.join(table.index)).hex()[:8]}" if table.index else ""
    return f"{table.id}.{FORMAT}{fields}"


def digest(value: str) -> bytes:
    return hashlib.blake2b(value.encode(), digest_size=DIGEST).digest()


def command_value(command: CommandRow) -> bytes:
    """The head (`at` 8 bytes, `+` or `-` for whether its state has an entry, digests of state, target, rule and key)
    and the summary."""
    return b"".join(
        (
            _at(command.at),
            b"-" if command.state in SETTLED else b"+",
            digest(command.state),
            digest(command.to),
            digest(command.rule),
            digest(command.key),
            command.summary.encode(),
        )
    )


HEAD: Final = 8 + 1 + 4 * DIGEST


def conditions(filter: CommandFilter) -> list[bytes]:
    """(letter, digest, `+` if the letter's entries find all of them) of each condition, one after the other."""
    found: list[bytes] = []
    for letter, value in ((STATE, filter.state), (TARGET, filter.to), (RULE, filter.rule), (KEY, filter.key)):
        if value is not None:
            found += (letter, digest(value), b"-" if letter == STATE and value in SETTLED else b"+")
    return found


def place_bytes(place: Place) -> bytes:
    """In the order of the bytes, places stand as (at, id)."""
    return _at(place.at) + place.id.encode()


def read_place(place: bytes) -> Place:
    return Place(int.from_bytes(place[:8], "big") - 2**63, place[8:].decode())


def _at(at: int) -> bytes:
    return (at + 2**63).to_bytes(8, "big")
