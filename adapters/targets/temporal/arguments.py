"""Arguments of a workflow, a signal or an update: values as a targets file says them, with parts of a command in them.

In a text, parts are put in as they are in any template. A text that is nothing but one part stands for its value, of
whatever type: `${command}` for the whole command, as a webhook would receive it, `${command.args}` for all its args.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from adapters.template import FIELDS, Template, TemplateError

Command = Mapping[str, Any]
_ALONE: Final = re.compile(r"\$\{\s*command((?:\.[A-Za-z0-9_-]+)*)\s*\}")


class Arguments:
    def __init__(self, values: Sequence[Any]) -> None:
        """Raises TemplateError."""
        self._makers = [_maker(value) for value in values]

    def render(self, command: Command) -> list[Any]:
        """Raises TemplateError."""
        return [make(command) for make in self._makers]


def _maker(value: Any) -> Callable[[Command], Any]:
    if isinstance(value, dict):
        made = {key: _maker(item) for key, item in value.items()}
        return lambda command: {key: make(command) for key, make in made.items()}
    if isinstance(value, list):
        items = [_maker(item) for item in value]
        return lambda command: [make(command) for make in items]
    if not isinstance(value, str):
        return lambda _: value
    if (alone := _ALONE.fullmatch(value)) is None:
        return Template(value).render
    path = tuple(alone[1].split(".")[1:])
    if path and path[0] not in FIELDS:
        fields = ", ".join(f"`command.{field}`" for field in FIELDS)
        raise TemplateError(f"`{value[:40]}` is no part of a command: there are {fields}")
    return lambda command: _part(command, path)


def _part(command: Command, path: tuple[str, ...]) -> Any:
    value: Any = command
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            raise TemplateError(f"the command has no {'.'.join(path)}")
        value = value[key]
    return value
