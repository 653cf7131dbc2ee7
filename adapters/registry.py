"""From the text of a targets file to targets, by name. Read once, at start; every mistake is a `TargetError` that says
where, what and what to do. Secrets are resolved here, by a function that the shell hands in, and shown nowhere.

The target `log` always exists, and `alerts` is a second one of its kind unless the file declares another.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from adapters.errors import TargetError
from adapters.target import Target
from adapters.target_file import MODELS, LogModel, RetryModel, TargetModel, WebhookModel
from adapters.targets.log import LogAdapter
from adapters.targets.signing import PREFIX, Signer
from adapters.targets.webhook import WebhookAdapter, WebhookOptions
from adapters.yaml_places import Path, Places, YamlError, read

LATER: Final = ("langchain", "temporal")
"""Kinds that are planned."""
LOG: Final = "log"
ALERTS: Final = "alerts"
REFERENCE: Final = "env:"

Resolve = Callable[[str], str | None]
"""From a secret's reference, such as `env:NAME`, to the secret; None if there is none."""


def load_targets(text: str, file_name: str, resolve_secret: Resolve, now: Callable[[], int]) -> dict[str, Target]:
    """`now` is the wall clock in microseconds, for time stamps on what is sent. "" is the file of whoever has none."""
    try:
        content, places = read(text)
    except YamlError as error:
        raise TargetError(f"{file_name}:{error.line}:{error.column}: {error}") from None
    found = {name: _log_target(name, LogModel(kind="log")) for name in (LOG, ALERTS)}
    for name, body in _targets(content, places, file_name).items():
        found[name] = _target(name, body, places, file_name, resolve_secret, now)
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


def _target(name: str, body: Any, places: Places, file: str, resolve: Resolve, now: Callable[[], int]) -> Target:
    path: Path = ("targets", name)
    if not isinstance(body, dict):
        raise _error(file, places, path, f"target `{name}` is a mapping: {{kind: webhook, url: …}}")
    kind = body.get("kind")
    if kind is None:
        raise _error(file, places, path, f"target `{name}` has no `kind`: add one of {_list(MODELS)}")
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        if kind in LATER:
            raise _error(file, places, (*path, "kind"), f"target `{name}`: kind `{kind}` is not supported yet")
        raise _error(file, places, (*path, "kind"), f"target `{name}`: unknown kind `{kind}`, not {_list(MODELS)}")
    if name == LOG and kind != LOG:
        raise _error(file, places, path, f"target `{LOG}` always prints: choose another name for this {kind}")
    try:
        checked = model.model_validate(body)
    except ValidationError as error:
        raise _validation_error(file, places, name, error, model) from None
    if isinstance(checked, LogModel):
        return _log_target(name, checked)
    signer = _signer(name, checked, places, file, resolve)
    return _webhook_target(name, checked, signer, now)


def _log_target(name: str, model: LogModel) -> Target:
    return Target(name, model.kind, LogAdapter, concurrency=model.concurrency, retry=model.retry.policy())


def _webhook_target(name: str, model: WebhookModel, signer: Signer | None, now: Callable[[], int]) -> Target:
    options = WebhookOptions(model.url, signer, tuple(model.allow), model.timeout, model.concurrency, now=now)
    return Target(
        name, model.kind, lambda: WebhookAdapter(options), model.timeout, model.concurrency, model.retry.policy()
    )


def _signer(name: str, model: WebhookModel, places: Places, file: str, resolve: Resolve) -> Signer | None:
    if model.secret is None:
        return None
    path: Path = ("targets", name, "secret")
    where = f"target `{name}`, `secret`"
    if model.secret.startswith(REFERENCE):
        variable = model.secret.removeprefix(REFERENCE)
        secret = resolve(model.secret)
        if not secret:
            raise _error(file, places, path, f"{where}: {variable or 'the variable'} is not set: set it to the secret")
        where += f" (from {model.secret})"
    elif model.secret.startswith(PREFIX):
        secret = model.secret
    else:
        raise _error(file, places, path, f"{where}: write env:NAME, the variable that holds the secret, or {PREFIX}…")
    try:
        return Signer(secret)
    except ValueError as error:
        raise _error(file, places, path, f"{where}: {error}") from None


def _validation_error(
    file: str, places: Places, name: str, error: ValidationError, model: type[TargetModel]
) -> TargetError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    inside = tuple(part for part in first["loc"])
    path: Path = ("targets", name, *inside)
    key = ".".join(map(str, inside))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = sorted((RetryModel if len(inside) > 1 else model).model_fields)
        close = get_close_matches(str(inside[-1]), known, 1)
        message = "is no key of it" + (f": did you mean `{close[0]}`?" if close else f"; there are {_list(known)}")
    elif first["type"] == "missing":
        message = "is missing: add it"
    return _error(file, places, path, f"target `{name}`" + (f", `{key}`: " if key else ": ") + message)


def _error(file: str, places: Places, path: Path, message: str) -> TargetError:
    line, column = places.of(path)
    return TargetError(f"{file}:{line}:{column}: {message}")


def _list(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
