"""The Python modules that a stored rule set needs, among those that the operator named: found by their hash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rules.diagnostics import Diagnostic, RuleErrors, shown
from rules.python.module import module_hash

Modules = Iterable[tuple[str, str]]
"""(file name, text): those of today, and those of former days."""

REMEDY: Final = (
    "name the file as it was then beside that of today: `--python-rules-old FILE` (`ORCHESTRATOR_PYTHON_RULES_OLD`)"
)


class ModulesMissing(RuleErrors):
    """A stored rule set needs modules that are not there. A log keeps their hashes and never their texts."""


def needed(kept: Sequence[tuple[str, str]], modules: Modules) -> dict[str, str]:
    """Name → text of those that were kept as (name, hash). Raises ModulesMissing."""
    there: dict[str, str] = {}
    hashes: dict[str, list[str]] = {}
    for name, text in modules:
        hashed = module_hash(text)
        there[hashed] = text
        hashes.setdefault(name, []).append(hashed)
    missing = [_missing(name, hashed, hashes.get(name)) for name, hashed in kept if hashed not in there]
    if missing:
        raise ModulesMissing(missing)
    return {name: there[hashed] for name, hashed in kept}


def _missing(name: str, hashed: str, others: list[str] | None) -> Diagnostic:
    there = f"the file of this name here has {' and '.join(others)}" if others else "no file of this name is here"
    message = f"the rule set needs the Python rules {shown(name, 200)} with hash {hashed}: {there}"
    return Diagnostic("error", "module-missing", message, name, 1, 1, 2, REMEDY)
