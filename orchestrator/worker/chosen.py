"""The targets to which a worker delivers: those of the targets file that are left to workers, by name or by kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from adapters import kinds
from adapters.errors import TargetError
from adapters.target import Target
from adapters.target_file import TargetModel
from orchestrator.targets import no_target, read_targets


def choose(
    path: Path, now: Callable[[], int], imports: Collection[str], framework: str | None, names: Sequence[str]
) -> dict[str, Target]:
    """Those named, or else all of the kind `framework` that are left to workers. Only their secrets are needed. Raises
    TargetError for one that this worker cannot deliver to, and if there is none."""
    if framework is not None and framework not in kinds.names():
        raise TargetError(f"FRAMEWORK={framework}: there is no such kind of target: {', '.join(kinds.names())}")
    models: dict[str, TargetModel] = {}

    def ours(name: str, model: TargetModel) -> bool:
        models[name] = model
        named = name in names if names else True
        return named and model.deliver == "workers" and framework in (None, model.kind)

    found = read_targets(path, now, imports, delivers=ours)
    for name in names:
        _check(name, path, framework, models, found)
    chosen = {name: target for name, target in found.items() if target.open is not None}
    if not chosen:
        raise TargetError(f"{path}: no target of kind `{framework}` is left to workers: give one `deliver: workers`")
    return chosen


def _check(
    name: str, path: Path, framework: str | None, models: dict[str, TargetModel], found: dict[str, Target]
) -> None:
    """Raises TargetError for a target that was named and is none of ours."""
    model = models.get(name)
    if model is None:
        raise TargetError(f"{path}: {no_target(name, models)}")
    if framework is not None and model.kind != framework:
        raise TargetError(f"{path}: target `{name}` is of kind `{model.kind}`, and FRAMEWORK is {framework}")
    if model.deliver != "workers":
        raise TargetError(f"{path}: servers deliver to target `{name}`: give it `deliver: workers`, here and there")
    if found[name].open is None:
        raise TargetError(f"{path}: target `{name}` is of kind `{model.kind}`: a program of yours delivers to it")
