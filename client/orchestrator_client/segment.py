"""One file of a spool: a head that says what it is, then records, only ever appended.

A record is its length (4 bytes, little-endian), CRC-32 of length and content (4 bytes), and the content. Its number is
that of the file (in its name) and its place; numbers of a spool only grow. What is not whole at the end of the newest
file was being written when the process or the machine went down.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from orchestrator_client.errors import SpoolDamaged

HEAD: Final = b"ospool1\n"
SUFFIX: Final = ".spool"
_RECORD: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")


class Scan(NamedTuple):
    records: int
    """Whole records."""
    end: int
    """Bytes up to the end of the last of them."""
    size: int
    """Bytes of the file."""


class Segment:
    """`first`: number of its first record."""

    def __init__(self, path: Path, first: int, count: int, size: int) -> None:
        self.path = path
        self.first = first
        self.count = count
        self.size = size

    @property
    def next(self) -> int:
        return self.first + self.count

    @classmethod
    def make(cls, folder: Path, first: int) -> Segment:
        path = folder / f"{first:020d}{SUFFIX}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, HEAD)
        finally:
            os.close(handle)
        return cls(path, first, 0, len(HEAD))

    def read(self, offset: int, most: int, most_bytes: int) -> list[tuple[bytes, int]]:
        """(content, offset behind it) of records from `offset` on, about `most_bytes` of them; one at least, if
        there is one. Raises SpoolDamaged."""
        with self.path.open("rb") as opened:
            opened.seek(offset)
            # One read for nearly all: a record that is cut off by it is read on its own below.
            text = opened.read(min(most_bytes + _RECORD.size, self.size - offset))
            records = list(_whole(text, offset))
            if not records and offset < self.size:
                length = _LENGTH.unpack_from(text)[0] if len(text) >= _LENGTH.size else 0
                opened.seek(offset)
                records = list(_whole(opened.read(_RECORD.size + length), offset))
        if not records and offset < self.size:
            raise damaged(self.path, offset)
        return records[:most]


def pack(events: Sequence[bytes]) -> bytes:
    parts = []
    for event in events:
        length = _LENGTH.pack(len(event))
        parts += [_RECORD.pack(len(event), crc32(event, crc32(length))), event]
    return b"".join(parts)


def _whole(text: bytes, offset: int) -> Iterator[tuple[bytes, int]]:
    """Up to the first record that is not whole. `offset`: of `text` in its file."""
    place = 0
    while place + _RECORD.size <= len(text):
        length, check = _RECORD.unpack_from(text, place)
        begin = place + _RECORD.size
        content = text[begin : begin + length]
        if len(content) < length or crc32(content, crc32(_LENGTH.pack(length))) != check:
            return
        place = begin + length
        yield content, offset + place


def scan(path: Path) -> Scan:
    """Reads the whole file."""
    text = path.read_bytes()
    if not text.startswith(HEAD):
        return Scan(0, 0, len(text))
    count, end = 0, len(HEAD)
    for _, behind in _whole(text[len(HEAD) :], len(HEAD)):
        count, end = count + 1, behind
    return Scan(count, end, len(text))


def number(path: Path) -> int | None:
    """Of its first record, from its name; None for a file that is no segment."""
    name = path.name.removesuffix(SUFFIX)
    return int(name) if path.name.endswith(SUFFIX) and len(name) == 20 and name.isascii() and name.isdigit() else None


def damaged(path: Path, offset: int) -> SpoolDamaged:
    return SpoolDamaged(
        f"{path} holds something else than was written, from byte {offset:,} on: its disk or another program changed "
        "it. Move the file away to go on with the others; the events before that byte can be read from it"
    )
