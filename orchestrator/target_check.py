"""All that is wrong with a targets file, without asking the network: errors, with which no server starts, and warnings.

A secret that is not here is a warning: where a file is checked is seldom where it is used. Something that has the form
of a secret stands in for it, so that the rest is checked.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.errors import TargetFileError
from adapters.kind import Surroundings
from adapters.problem import Problem
from adapters.registry import load_targets
from adapters.secrets import SecretError
from adapters.target import Target
from adapters.texts import texts
from adapters.yaml_places import Path as Keys
from adapters.yaml_places import YamlError, read
from orchestrator.secret import read_secret

STAND_IN: Final = "whsec_" + base64.b64encode(bytes(32)).decode()
ADDRESS: Final = "https://secret.invalid/"
"""Where the secret is one."""
_OF_OURS: Final = ("localhost", ".localhost", ".local", ".internal", ".svc")
"""Ends of names that no public host has."""


@dataclass(frozen=True, slots=True)
class Checked:
    targets: dict[str, Target]
    """Empty where there are errors."""
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not any(each.severity == "error" for each in self.problems)


def check_targets_file(path: Path, now: Callable[[], int], imports: Collection[str], most: int) -> Checked:
    """`most`: connections that one target may have. Raises OSError and UnicodeDecodeError."""
    text, file = path.read_text("utf-8"), str(path)
    missing: dict[str, str] = {}
    try:
        content, places = read(text)
    except YamlError as error:
        return Checked({}, (Problem("error", str(error), file, error.line, error.column),))
    addresses = {value for keys, value in texts(content) if _is_address(keys)}

    def secret(reference: str) -> str:
        try:
            if found := read_secret(reference):
                return found
            missing[reference] = "is not set" if reference.startswith("env:") else "is empty"
        except SecretError as error:
            missing[reference] = str(error)
        return ADDRESS if reference in addresses else STAND_IN

    problems: list[Problem] = []
    targets: dict[str, Target] = {}
    around = Surroundings(now, secret, imports=frozenset(imports))
    try:
        targets = load_targets(text, file, around, delivers=lambda name, model: True)
    except TargetFileError as error:
        problems.extend(error.problems)
    for name, target in targets.items():
        if target.concurrency > most:
            line, column = places.of(("targets", name, "concurrency"))
            message = f"target `{name}`: a `concurrency` of {target.concurrency} needs more than the {most} connections"
            hint = "choose less, or raise ORCHESTRATOR_POOL_MAX"
            problems.append(Problem("error", message, file, line, column, hint))
    for keys, value in texts(content):
        line, column = places.of(keys)
        where = f"target `{keys[1]}`, `{'.'.join(map(str, keys[2:]))}`" if len(keys) > 2 else "a text"
        if value in missing:
            message = f"{where}: the secret `{value}` is not here: {missing[value]}"
            hint = "the server that uses the file needs it"
            problems.append(Problem("warning", message, file, line, column, hint))
        elif _is_address(keys) and _in_the_clear(value):
            message = f"{where}: everybody on the way can read and change what is sent"
            problems.append(Problem("warning", message, file, line, column, "write https://"))
    return Checked(targets, tuple(sorted(problems, key=lambda each: (each.line, each.column))))


def _is_address(keys: Keys) -> bool:
    return bool(keys) and str(keys[-1]).endswith("url")


def _in_the_clear(url: str) -> bool:
    """Whether it goes to a host that may be anywhere, without TLS."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False  # the kind says so
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_OF_OURS)
