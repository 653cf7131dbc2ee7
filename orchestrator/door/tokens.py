"""What names a lease to the outside: opaque text that goes with one command.

It says which lease is meant, and its checksum that it was not given for another command; whether that lease is still
held, the ledger knows. It is no credential: who may call the door may lease, too.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final

from adapters.work import Work

_FORM: Final = struct.Struct(">BHIQ")
"""Version, partition, attempt, the time of the lease."""
_VERSION: Final = 1
_CHECK: Final = 8
_LENGTH: Final = _FORM.size + _CHECK


def write(work: Work) -> str:
    said = _FORM.pack(_VERSION, work.partition, work.attempt, work.leased_at)
    return urlsafe_b64encode(said + _checksum(work.id, said)).rstrip(b"=").decode()


def read(id: str, token: str) -> Work | None:
    """The lease of this command, which is all that is known of the work; None for what is no token of it."""
    try:
        found = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        return None
    said, check = found[: _FORM.size], found[_FORM.size :]
    if len(found) != _LENGTH or check != _checksum(id, said):
        return None
    version, partition, attempt, leased_at = _FORM.unpack(said)
    return Work(id, attempt, "", b"", 0, partition, leased_at=leased_at) if version == _VERSION else None


def _checksum(id: str, said: bytes) -> bytes:
    return blake2b(id.encode("utf-8", "replace") + said, digest_size=_CHECK).digest()
