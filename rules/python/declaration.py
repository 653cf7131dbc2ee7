"""`@rule(…)`: what a Python function listens to, and what it keeps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules import cel
from rules.diagnostics import tidy
from rules.model.function import StateField
from rules.python.errors import BadDeclaration
from rules.python.names import LONGEST, wrong_type
from rules.python.state import shape

MOST_STATE: Final = 1 << 20
"""Bytes. What a key keeps is read and written whole."""
DEFAULT_STATE: Final = 16_384


@dataclass(frozen=True, slots=True)
class Declared:
    """A function that is a rule. Called, it is the function: unit tests of an author need nothing else."""

    call: Callable[..., Any]
    name: str
    on: tuple[str, ...]
    by: tuple[str, cel.Node] | None
    when: tuple[str, cel.Node] | None
    state: tuple[StateField, ...]
    max_state: int
    version: int
    priority: int
    enabled: bool
    shadow: bool

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self.call(*given, **named)


def rule(
    *,
    on: str | Sequence[str],
    by: str | None = None,
    when: str | None = None,
    state: Mapping[str, Any] | None = None,
    max_state: int = DEFAULT_STATE,
    version: int = 1,
    priority: int = 0,
    enabled: bool = True,
    shadow: bool = False,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Declared]:
    """Makes a function `(event, state, now)` a rule, named as the function is.

    `by` and `when` are CEL, as in rule files. `state` gives each field its type (int, float, str, bool, list, dict) or
    its first value; `max_state` bounds it, in bytes of one key. Another `version`, name, `on`, `by`, `when` or shape
    begins with empty state; another text of the function does not. Raises BadDeclaration."""
    types: Any = (on,) if isinstance(on, str) else on
    if not isinstance(types, (list, tuple)) or not types:
        raise BadDeclaration("`on` is an event type, or a list of them", 'every business event is `"*"`')
    for each in types:
        wrong = wrong_type(each, listening=True)
        if wrong is not None:
            raise BadDeclaration(f"`on` cannot be `{str(each)[:60]}`: {wrong}")
    _whole("max_state", max_state, 1, MOST_STATE)
    _whole("version", version, 0, 1 << 31)
    _whole("priority", priority, -(1 << 31), 1 << 31)
    for flag, value in (("enabled", enabled), ("shadow", shadow)):
        if not isinstance(value, bool):
            raise BadDeclaration(f"`{flag}` is True or False")

    def declare(function: Callable[..., Any]) -> Declared:
        _callable(function)
        title: Any = function.__name__ if name is None else name
        if not isinstance(title, str) or not title.isprintable() or title != title.strip() or not title:
            raise BadDeclaration("the name of a rule is one line of text, without spaces around it")
        if len(title) > LONGEST:
            raise BadDeclaration(f"the name of a rule is longer than {LONGEST} characters")
        return Declared(
            call=function,
            name=title,
            on=tuple(dict.fromkeys(types)),
            by=_expression("by", by),
            when=_expression("when", when),
            state=shape(state or {}),
            max_state=max_state,
            version=version,
            priority=priority,
            enabled=enabled,
            shadow=shadow,
        )

    return declare


def _callable(function: Callable[..., Any]) -> None:
    if not inspect.isfunction(function):
        raise BadDeclaration("`@rule` stands above a function")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise BadDeclaration("a rule waits for nothing: write `def`, not `async def`")
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        raise BadDeclaration("a rule is called with three arguments: `(event, state, now)`") from None


def _expression(what: str, text: str | None) -> tuple[str, cel.Node] | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadDeclaration(f"`{what}` is CEL in a string", 'such as `by="event.data.card"`')
    try:
        return text, cel.parse(text)
    except cel.CelSyntaxError as error:
        raise BadDeclaration(f"`{what}`: {tidy(error.message)}", tidy(error.hint) if error.hint else None) from None


def _whole(what: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadDeclaration(f"`{what}` is a whole number from {least:,} to {most:,}")
