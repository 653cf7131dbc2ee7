"""From the text of a targets file to targets, by name. Read once, at start; what is wrong, of all targets, is a
`TargetFileError` that says where, what and what to do. Secrets are resolved here, by a function that the shell hands
in, and shown nowhere.

The target `log` always exists, and `alerts` is a second one of its kind unless the file declares another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from adapters import kinds
from adapters.adapter import Adapter, BatchAdapter
from adapters.errors import LibraryMissingError, TargetError, TargetFileError
from adapters.kind import FieldError, Kind, Surroundings
from adapters.problem import Problem
from adapters.redact import Redacted, Redactor
from adapters.target import Target
from adapters.target_file import AlarmModel, BatchModel, LeftModel, TargetModel
from adapters.yaml_places import Path, Places, YamlError, read
from rules.diagnostics import did_you_mean, shown

LOG: Final = "log"
ALERTS: Final = "alerts"


Delivers = Callable[[str, TargetModel], bool]
"""Whether the process delivers to the target of that name itself, and so needs its secrets."""


def by_servers(name: str, model: TargetModel) -> bool:
    return model.deliver == "here"


def load_targets(
    text: str, file_name: str, around: Surroundings, *, delivers: Delivers = by_servers
) -> dict[str, Target]:
    """An empty text is the file of whoever has none. What is delivered elsewhere is checked, and has no adapter. Raises
    TargetFileError."""
    try:
        content, places = read(text)
    except YamlError as error:
        raise TargetFileError([Problem("error", str(error), file_name, error.line, error.column)]) from None
    bodies = {LOG: {"kind": LOG}, ALERTS: {"kind": LOG}, **_targets(content, places, file_name)}
    found: dict[str, Target] = {}
    wrong: list[Problem] = []
    for name, body in bodies.items():
        try:
            found[name] = _target(name, body, places, file_name, around, delivers)
        except TargetFileError as error:
            wrong.extend(error.problems)
    if wrong:
        raise TargetFileError(wrong)
    return found


def _targets(content: Any, places: Places, file: str) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _error(file, places, (), "a targets file is a mapping: begin with `targets:`")
    for key in content:
        if key != "targets":
            raise _error(file, places, (key,), f"unknown key `{key}`; a targets file has one, `targets`")
    targets = content.get("targets")
    if targets is None:
        return {}
    if not isinstance(targets, dict):
        raise _error(file, places, ("targets",), "`targets` maps names to targets: {police: {kind: webhook, …}}")
    return targets


def _target(name: str, body: Any, places: Places, file: str, around: Surroundings, delivers: Delivers) -> Target:
    path: Path = ("targets", name)
    if not isinstance(body, dict):
        raise _error(file, places, path, f"target `{name}` is a mapping: {{kind: webhook, url: …}}")
    kind_name = body.get("kind")
    if kind_name is None:
        raise _error(file, places, path, f"target `{name}` has no `kind`", f"add one of {_list(kinds.names())}")
    try:
        kind = kinds.find(kind_name) if isinstance(kind_name, str) else None
    except TargetError as error:
        if not isinstance(error, LibraryMissingError) or body.get("deliver") != "workers":
            raise _error(file, places, (*path, "kind"), f"target `{name}`: {error}") from error
        kind = _elsewhere(str(kind_name), error)
    if kind is None:
        hint = did_you_mean(str(kind_name), kinds.names()) or _there_are(kinds.names())
        raise _error(file, places, (*path, "kind"), f"target `{name}`: unknown kind {shown(str(kind_name))}", hint)
    if name == LOG and kind.name != LOG:
        raise _error(file, places, path, f"target `{LOG}` always prints: choose another name for this {kind.name}")
    try:
        return _made(name, kind, kind.model.model_validate(body), around, delivers)
    except ValidationError as error:
        raise _validation_error(file, places, name, error, kind.model) from None
    except FieldError as error:
        where = "".join(f", `{key}`" for key in error.path[:1])
        raise _error(file, places, (*path, *error.path), f"target `{name}`{where}: {error}") from None


def _elsewhere(name: str, error: LibraryMissingError) -> Kind:
    """The kind for those who leave its targets to workers: what is its own in the file is theirs to check."""

    def make(target: str, model: TargetModel, around: Surroundings) -> None:
        raise FieldError(("kind",), str(error))

    return Kind(name, LeftModel, make)


def _made(name: str, kind: Kind, model: TargetModel, around: Surroundings, delivers: Delivers) -> Target:
    batch = model.batch if isinstance(model, BatchModel) else 1
    redactor = Redactor()
    make = kind.make(name, model, _collecting(around, redactor)) if delivers(name, model) else None
    return Target(
        name,
        kind.name,
        _opening(name, make, redactor, batch) if make is not None else None,
        timeout=model.timeout,
        concurrency=model.concurrency,
        retry=model.retry.policy(),
        alarm=model.alarm.policy() if isinstance(model.alarm, AlarmModel) else None,
        gate=model.gate(),
        batch=batch,
    )


def _collecting(around: Surroundings, redactor: Redactor) -> Surroundings:
    """The same, but every secret that is asked for is hidden from then on."""

    def secret(reference: str) -> str | None:
        if found := around.secret(reference):
            redactor.add(found)
        return found

    return replace(around, secret=secret, redactor=redactor)


def _opening(name: str, make: Callable[[], Adapter], redactor: Redactor, batch: int) -> Callable[[], Adapter]:
    def open() -> Adapter:
        adapter = make()
        if batch > 1 and not isinstance(adapter, BatchAdapter):
            raise TargetError(f"target `{name}`: {type(adapter).__name__} has no `deliver_many`: remove `batch`")
        return Redacted(adapter, redactor) if redactor else adapter

    return open


def _validation_error(
    file: str, places: Places, name: str, error: ValidationError, model: type[TargetModel]
) -> TargetFileError:
    problems: dict[Problem, None] = {}
    for each in _without_alternatives(error.errors(include_url=False, include_input=False, include_context=False)):
        inside = tuple(part for part in each["loc"])
        key = ".".join(map(str, inside))
        message, hint = each["msg"].removeprefix("Value error, "), None
        if each["type"] == "extra_forbidden":
            known = _keys(model, inside[:-1])
            message, hint = "is no key of it", did_you_mean(str(inside[-1]), known) or _there_are(known)
        elif each["type"] == "missing":
            message, hint = "is missing", "add it"
        line, column = places.of(("targets", name, *inside))
        said = f"target `{name}`" + (f", `{key}`: " if key else ": ") + message
        problems[Problem("error", said, file, line, column, hint)] = None
    return TargetFileError(sorted(problems, key=lambda each: (each.line, each.column)))


def _without_alternatives(errors: Sequence[Any]) -> list[Any]:
    """Where a mapping or a word may stand, pydantic tells what is wrong with the value as either, under names of its
    own: what is wrong with the mapping if it is one, else with the word."""
    found: list[Any] = []
    for each in errors:
        loc = each["loc"]
        if len(loc) > 1 and str(loc[1]).startswith("literal["):
            as_mapping = [one for one in errors if one["loc"][0] == loc[0] and one is not each]
            if any(one["type"] != "model_type" for one in as_mapping):
                continue
            found.append({**each, "loc": loc[:1], "msg": f"{each['msg']}, or a mapping"})
        elif len(loc) > 1 and str(loc[1]).endswith(("Model", "Model]")):
            if each["type"] != "model_type":
                found.append({**each, "loc": (loc[0], *loc[2:])})
        else:
            found.append(each)
    return found


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    """That may stand at this path of the target."""
    for key in path:
        field = model.model_fields.get(str(key))
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return sorted(model.model_fields)


def _error(file: str, places: Places, path: Path, message: str, hint: str | None = None) -> TargetFileError:
    line, column = places.of(path)
    return TargetFileError([Problem("error", message, file, line, column, hint)])


def _there_are(known: Sequence[str]) -> str | None:
    return f"there are {_list(known)}" if known else None


def _list(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
