"""The targets of this server: the targets file, its secrets, and whether the rules fit to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from adapters.errors import DeliveryError, TargetError
from adapters.kind import Surroundings
from adapters.registry import Delivers, by_servers, load_targets
from adapters.target import Target
from orchestrator.secret import read_secret
from rules.diagnostics import RuleErrors, did_you_mean, shown
from rules.load import check_targets
from rules.ruleset import RuleSet

MOST_NAMES: Final = 20
"""Told to who named one that does not exist."""


class UnknownTargetError(DeliveryError):
    """There is no target of that name."""


def read_targets(
    path: Path | None, now: Callable[[], int], imports: Collection[str] = (), *, delivers: Delivers = by_servers
) -> dict[str, Target]:
    """Those that exist always, for no path. `imports`: what the file may import (`adapters/imports.py`). `delivers`:
    to which of them this process delivers. Raises TargetError."""
    around = Surroundings(now, read_secret, imports=frozenset(imports))
    if path is None:
        return load_targets("", "", around, delivers=delivers)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise TargetError(f"{path} is not UTF-8: {error.reason}") from None
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror or error}") from error
    return load_targets(text, str(path), around, delivers=delivers)


def check_connections(targets: Mapping[str, Target], most: int) -> None:
    """Raises TargetError for a target with more attempts at once than it may have connections."""
    for target in targets.values():
        if target.concurrency > most:
            raise TargetError(
                f"target `{target.name}`: a `concurrency` of {target.concurrency} needs more than the {most} "
                "connections of one target: choose less, or raise ORCHESTRATOR_POOL_MAX"
            )


def check_rules(ruleset: RuleSet, targets: Mapping[str, Target]) -> None:
    """Raises RuleErrors for a rule that names a target which does not exist."""
    if found := check_targets(ruleset, targets.keys()):
        raise RuleErrors(found)


def no_target(name: str, known: Iterable[str]) -> str:
    """What is said of a name that no target has."""
    names = sorted(known)
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    there_are = f"there are {', '.join(map(shown, names[:MOST_NAMES]))}{more}"
    return f"there is no target {shown(name)}: {did_you_mean(name, names) or there_are}"
