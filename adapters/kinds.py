"""The kinds of targets that there are, by name: ours, and those that installed distributions add by entry point.

A kind is imported when a target of it is declared, because some bring a large library along.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from adapters.errors import LibraryMissingError, TargetError
from adapters.kind import Kind

GROUP: Final = "orchestrator.targets"
"""Of entry points: the name is the kind's, the object a `Kind`."""
OURS: Final = {
    "langchain": "adapters.targets.langchain.kind",
    "log": "adapters.targets.log",
    "temporal": "adapters.targets.temporal.kind",
    "webhook": "adapters.targets.webhook.kind",
    "worker": "adapters.targets.worker",
}
"""Name → module that has it as KIND."""


def names() -> list[str]:
    """Of all kinds, also of those whose libraries are missing."""
    return sorted({*OURS, *foreign()})


def foreign() -> list[str]:
    """Those that other distributions add."""
    return sorted({found.name for found in entry_points(group=GROUP)} - OURS.keys())


def find(name: str) -> Kind | None:
    """None if there is no such kind. Raises TargetError if it cannot be used as it is installed, LibraryMissingError if
    it would be with more."""
    if (module := OURS.get(name)) is not None:
        try:
            kind = import_module(module).KIND
        except ModuleNotFoundError as error:
            raise LibraryMissingError(
                f"kind `{name}` needs the module {error.name}: pip install 'business-logic-orchestrator[{name}]'"
            ) from error
        assert isinstance(kind, Kind)
        return kind
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    return _load(found) if found is not None else None


def _load(found: EntryPoint) -> Kind:
    where = f"kind `{found.name}` of {found.dist.name if found.dist is not None else 'an unknown distribution'}"
    try:
        kind = found.load()
    except Exception as error:  # whatever somebody else's module does when it is imported
        raise TargetError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(kind, Kind):
        raise TargetError(f"{where}: {found.value} is no adapters.kind.Kind but {type(kind).__name__}")
    if kind.name != found.name:
        raise TargetError(f"{where}: the Kind calls itself `{kind.name}`; both names must be the same")
    return kind
