"""Files that are there whole or not at all.

What is written goes to `NAME.partial` beside its place and is renamed there when the block ends well; a run that fails
leaves what was there before, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written_beside(path: Path) -> Iterator[IO[bytes]]:
    """Raises OSError. One writer of a path at a time."""
    beside = path.with_name(path.name + ".partial")
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder: name a file", str(path))
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def same_file(one: Path, other: Path) -> bool:
    """Whether writing to the one would destroy the other, through links too."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()
