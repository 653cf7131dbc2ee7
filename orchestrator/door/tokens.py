"""What names a lease to the outside: opaque text that goes with one command.

It says which lease is meant, and its checksum that it was not given for another command; whether that lease is still
held, the ledger knows. It is no credential: who may call the door may lease, too.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

from adapters.work import Work

_FORM: Final = struct.Struct(">BHIQI")
"""Version, partition, attempt, the time of the lease, checksum."""
_SAID: Final = struct.Struct(">BHIQ")
_VERSION: Final = 1


def write(work: Work) -> str:
    said = _SAID.pack(_VERSION, work.partition, work.attempt, work.leased_at)
    return (said + crc32(work.id.encode(), crc32(said)).to_bytes(4)).hex()


def read(id: str, token: str) -> Work | None:
    """The lease of this command, which is all that is known of the work; None for what is no token of it."""
    try:
        found = bytes.fromhex(token)
        version, partition, attempt, leased_at, check = _FORM.unpack(found)
        right = crc32(id.encode(), crc32(found[: _SAID.size]))
    except (ValueError, struct.error):
        return None
    if check != right or version != _VERSION:
        return None
    return Work(id, attempt, "", b"", 0, partition, leased_at=leased_at)
