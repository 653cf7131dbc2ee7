"""Files of Python rules from disk: those that the operator names, one by one, and never a folder: what lies in a folder
may come from anybody."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.rule_files import RuleFilesError, read_rule_files


def read_modules(paths: Iterable[Path]) -> dict[str, bytes]:
    """Name → content. Raises RuleFilesError."""
    return read_rule_files(map(_file, paths))


def read_known(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """(name, text), of which several may have one name. Raises RuleFilesError."""
    found: list[tuple[str, str]] = []
    for path in paths:
        for name, body in read_modules([path]).items():
            try:
                found.append((name, body.decode("utf-8-sig")))
            except UnicodeDecodeError as error:
                raise RuleFilesError(f"{path} is not UTF-8: {error.reason}") from error
    return found


def _file(path: Path) -> Path:
    if path.is_dir() or path.suffix != ".py":
        raise RuleFilesError(f"{path} is no file of Python rules: name each `.py` file")
    return path
