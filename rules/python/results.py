"""From what a Python rule returned to actions of the model, with what each carries, as a performer of actions takes
them (`rules.compile.action`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from rules.model.action import Action, CommandAction, EmitAction
from rules.model.source import Span
from rules.python.actions import Alert, Command, Emit
from rules.python.errors import BadValue
from rules.python.names import plain, wrong_type
from rules.python.values import payload, text
from streams import duration

MOST: Final = 1_000
"""Actions of one call."""
LONGEST_TIMEOUT: Final = 600 * 1_000_000
DEEPEST: Final = 4
"""Fallbacks of fallbacks."""
_NOWHERE: Final = Span("", 1, 1)


class Results(NamedTuple):
    actions: list[Action]
    carried: list[Any]


def results(returned: Any) -> Results:
    """Raises BadValue, and whatever a generator raises."""
    if returned is None:
        return Results([], [])
    if isinstance(returned, (Command, Emit, Alert)):
        raise BadValue(f"it returned one {type(returned).__name__}: return a list of them, or `yield` it")
    return _all(returned, "it returned", DEEPEST)


def _all(returned: Any, what: str, depth: int) -> Results:
    if not isinstance(returned, Iterable):
        raise BadValue(f"{what} {type(returned).__name__}, which is no list of Command, Emit and Alert")
    if depth == 0:
        raise BadValue("a fallback of a fallback of a fallback has a fallback: that is too deep")
    made = Results([], [])
    for each in returned:
        if len(made.actions) >= MOST:
            raise BadValue(f"{what} more than {MOST:,} actions")
        action, carried = _one(each, what, depth)
        made.actions.append(action)
        made.carried.append(carried)
    return made


def _one(given: Any, what: str, depth: int) -> tuple[Action, Any]:
    if isinstance(given, Alert):
        args = {"text": text(given.text, "the text of an alert"), "severity": text(given.severity, "`severity`")}
        return CommandAction("alert", "alerts", {}, _NOWHERE), (args, [])
    if isinstance(given, Emit):
        wrong = wrong_type(given.type, listening=False)
        if wrong is not None:
            raise BadValue(f"it emits {given.type!r}: {wrong}")
        subject = None if given.subject is None else text(given.subject, "`subject`")
        return EmitAction(given.type, None, None, _NOWHERE), (subject, payload(given.data, "data"))
    if not isinstance(given, Command):
        raise BadValue(f"{what} {type(given).__name__} among the actions: they are Command, Emit and Alert")
    for name, part in (("command", given.command), ("to", given.to)):
        if not plain(part):
            raise BadValue(f"`{name}` cannot be {part!r}: letters, digits and `_ . : / -` make a name")
    if not isinstance(given.args, dict):
        raise BadValue(f"`args` of {given.command} is {type(given.args).__name__}, no dict")
    if given.order not in (None, "key"):
        raise BadValue(f'`order` of {given.command} is "key" or nothing')
    timeout = _time(given.timeout, "timeout")
    if timeout is not None and timeout > LONGEST_TIMEOUT:
        raise BadValue(f"`timeout` of {given.command} is longer than 10m")
    instead = _all(given.fallback, "`fallback` holds", depth - 1) if given.fallback != () else Results([], [])
    action = CommandAction(
        given.command,
        given.to,
        {},
        _NOWHERE,
        timeout=timeout,
        expires=_time(given.expires, "expires"),
        order=given.order is not None,
        fallback=tuple(instead.actions),
    )
    return action, (payload(given.args, "args"), instead.carried)


def _time(given: Any, what: str) -> int | None:
    """Microseconds."""
    if given is None:
        return None
    try:
        found = duration.parse(given)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadValue(f"`{what}` is a text such as 30s, not {given!r}") from error
    if found <= 0:
        raise BadValue(f"`{what}` needs more than no time at all")
    return found
