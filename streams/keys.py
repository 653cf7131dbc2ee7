"""From a key to its partition, the same in every language: crc32 of its UTF-8 text, mod 1,024, is the slice;
slice × partitions ÷ 1,024, whole, is the partition. Test vectors: `docs/partitioning.md`.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

SLICES: Final = 1024


def slice_of(key: str) -> int:
    """0…1023. Raises UnicodeEncodeError for a key that is not valid Unicode; intake refuses those."""
    return crc32(key.encode()) % SLICES


def partition_of(key: str, partitions: int) -> int:
    return crc32(key.encode()) % SLICES * partitions // SLICES
