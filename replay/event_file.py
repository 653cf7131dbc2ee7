"""Files of events: JSON lines, gzipped or not, told by content. A line is bounded."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import IO, Final

GZIP: Final = b"\x1f\x8b"
BOM: Final = b"\xef\xbb\xbf"


class EventFileError(Exception):
    """The file cannot be read any further. `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def lines(file: IO[bytes], longest: int) -> Iterator[tuple[int, bytes]]:
    """(number, line without its end), from 1. Of a line of more than `longest` bytes, only the front. Raises
    EventFileError."""
    packed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    # The buffer spares a Python call for each line; GzipFile takes the place of a raw file.
    reader: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=file), 1 << 17) if packed else file
    number = 0
    try:
        while line := reader.readline(longest + 3):
            number += 1
            if number == 1:
                line = line.removeprefix(BOM)
            if line[-1:] != b"\n":
                _skip_rest(reader, line)
            yield number, line.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"the file cannot be unpacked any further ({error}): it is cut off or damaged"
        raise EventFileError(message, number + 1) from error


def _skip_rest(reader: IO[bytes], line: bytes) -> None:
    while line and line[-1:] != b"\n":
        line = reader.readline(1 << 20)
