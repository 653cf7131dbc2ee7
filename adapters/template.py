"""Texts with parts of a command in them: `${command.key}`, `${command.args.plate}`. No expressions.

Checked when the target is made; what a command does not have is found out when it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

FIELDS: Final = ("id", "command", "to", "rule", "key", "at", "cause", "args")
_PLACE: Final = re.compile(r"\$\{([^}]*)(\}?)")
_PATH: Final = re.compile(r"command((?:\.[A-Za-z0-9_-]+)+)")


class TemplateError(ValueError):
    """It says something that no command has, or this command has not."""


class Template:
    def __init__(self, text: str, *, objects: bool = False) -> None:
        """`objects`: lists and objects may stand there too, and all of `${command.args}`, as JSON. Raises
        TemplateError."""
        self.text = text
        self._objects = objects
        self._parts: list[str | tuple[str, ...]] = []
        at = 0
        for found in _PLACE.finditer(text):
            if not found[2]:
                raise TemplateError(f"`{found[0][:40]}` has no end: close it with a brace")
            self._parts += [text[at : found.start()], _path(found[1], objects)]
            at = found.end()
        self._parts.append(text[at:])

    @classmethod
    def fixed(cls, text: str) -> Template:
        """One that says just this."""
        made = cls("")
        made._parts = [text]
        return made

    @property
    def static(self) -> bool:
        """Whether it is the same for every command."""
        return len(self._parts) == 1

    @property
    def texts(self) -> list[str]:
        """What stands around the parts of a command."""
        return [part for part in self._parts if isinstance(part, str)]

    @property
    def sample(self) -> str:
        """For some command."""
        return "".join(part if isinstance(part, str) else "x" for part in self._parts)

    def render(self, command: Mapping[str, Any], encode: Callable[[str], str] = str) -> str:
        """`encode` is for what comes from the command. Raises TemplateError."""
        return "".join(
            part if isinstance(part, str) else encode(_text(command, part, self._objects)) for part in self._parts
        )


def _path(inside: str, objects: bool) -> tuple[str, ...]:
    found = _PATH.fullmatch(inside.strip())
    path = tuple(found[1][1:].split(".")) if found is not None else ()
    if not path or path[0] not in FIELDS:
        fields = ", ".join(f"`command.{field}`" for field in FIELDS)
        raise TemplateError(f"`${{{inside[:40]}}}` is no part of a command: there are {fields}")
    if path[0] == "args" and len(path) == 1 and not objects:
        raise TemplateError("`${command.args}` is more than a text: name one, such as `${command.args.plate}`")
    if path[0] != "args" and len(path) > 1:
        raise TemplateError(f"`${{{inside[:40]}}}`: `command.{path[0]}` is a text and has no parts")
    return path


def _text(command: Mapping[str, Any], path: tuple[str, ...], objects: bool) -> str:
    value: Any = command
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value
    if value is None:
        raise TemplateError(f"the command has no {'.'.join(path)}")
    if isinstance(value, (dict, list)) and not objects:
        raise TemplateError(f"{'.'.join(path)} of the command is neither a text nor a number")
    return msgspec.json.encode(value).decode()
