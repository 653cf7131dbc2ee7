"""Rule files from disk: what paths name, in the order in which they make one rule set.

A folder stands for its `.yaml`, `.yml` and `.json` files, also in folders below it, sorted by path; hidden files and
folders are passed over (a mounted volume keeps its versions in them). Names do not hold the path that was given, so the
digest of a rule set does not depend on where it lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from rules.load import load_sources
from rules.ruleset import RuleSet

SUFFIXES: Final = (".yaml", ".yml", ".json")
LARGEST: Final = 20_000_000
"""Bytes of one file; the loader has a bound of its own, this one keeps a wrong path from filling memory."""


class RuleFilesError(Exception):
    """A path cannot be read, or names no rule file."""


def load(paths: Iterable[Path]) -> RuleSet:
    """The rule set of these files and folders. Raises RuleFilesError, and RuleErrors for what is wrong in them."""
    return load_sources(read_rule_files(paths))


def read_rule_files(paths: Iterable[Path]) -> dict[str, bytes]:
    """Name → content: a file by its name, a folder's files by their path in it. A file that is reached twice is read
    once. Raises RuleFilesError."""
    found: dict[str, bytes] = {}
    reached: set[Path] = set()
    for path in paths:
        for name, file in _files(path):
            try:
                resolved = file.resolve(strict=True)
                if resolved in reached:
                    continue
                reached.add(resolved)
                if name in found:
                    raise RuleFilesError(f"{file}: there is a rule file `{name}` already: give each another name")
                if not resolved.is_file():
                    raise RuleFilesError(f"{file} is no file")
                with resolved.open("rb") as opened:
                    content = opened.read(LARGEST + 1)
            except OSError as error:
                raise RuleFilesError(f"{file}: {error.strerror or error}") from error
            if len(content) > LARGEST:
                raise RuleFilesError(f"{file} is larger than {LARGEST:,} bytes: is it a rule file?")
            found[name] = content
    return found


def where_files_lie(paths: Iterable[Path]) -> dict[str, Path]:
    """Name → where the file is, for the names that `read_rule_files` gives. Raises RuleFilesError."""
    found: dict[str, Path] = {}
    for path in paths:
        for name, file in _files(path):
            found.setdefault(name, file)
    return found


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_dir():
        yield path.name, path
        return
    files = sorted(_inside(path), key=lambda file: file.relative_to(path).as_posix())
    if not files:
        raise RuleFilesError(f"{path} holds no rule file (*.yaml, *.yml, *.json)")
    for file in files:
        yield file.relative_to(path).as_posix(), file


def _inside(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(where, name)
            if file.suffix.lower() in SUFFIXES and not name.startswith(".") and file.is_file():
                yield file


def _unreadable(error: OSError) -> None:
    raise RuleFilesError(f"{error.filename}: {error.strerror or error}") from error
