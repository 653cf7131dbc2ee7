"""Rule files from disk: what paths name, in the order in which they make one rule set.

A folder stands for its `.yaml`, `.yml` and `.json` files, also in folders below it, sorted by path. Names do not hold
the path that was given, so the digest of a rule set does not depend on where it lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".yaml", ".yml", ".json")
LARGEST: Final = 20_000_000
"""Bytes of one file; the loader has a bound of its own, this one keeps a wrong path from filling memory."""


class RuleFilesError(Exception):
    """A path cannot be read, or names no rule file."""


def read_rule_files(paths: Iterable[Path]) -> dict[str, bytes]:
    """Name → content: a file by its name, a folder's files by their path in it. Raises RuleFilesError."""
    found: dict[str, bytes] = {}
    for path in paths:
        for name, file in _files(path):
            if name in found:
                raise RuleFilesError(f"{file}: there is a rule file `{name}` already: give each another name")
            try:
                if file.stat().st_size > LARGEST:
                    raise RuleFilesError(f"{file} is larger than {LARGEST:,} bytes: is it a rule file?")
                found[name] = file.read_bytes()
            except OSError as error:
                raise RuleFilesError(f"{file}: {error.strerror or error}") from error
    return found


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_dir():
        yield path.name, path
        return
    files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    if not files:
        raise RuleFilesError(f"{path} holds no rule file (*.yaml, *.yml, *.json)")
    for file in files:
        yield file.relative_to(path).as_posix(), file
