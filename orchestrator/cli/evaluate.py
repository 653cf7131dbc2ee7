"""`orchestrator rules eval`: one expression over one event, without a rule around it.

It sees what every rule sees of an event alone: `event`, `key` and `now`. Rows, `let` values and tables belong to a rule
set and a history, and are refused by name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from cyclopts import Parameter

from orchestrator.cli.exits import FAILED, OK, CommandFailed
from orchestrator.cli.one_event import event_attributes
from orchestrator.cli.show import json_line, line, note
from orchestrator.cli.times import micros

if TYPE_CHECKING:
    from rules.diagnostics import Diagnostic

NAME = "expression"
"""What stands for the file in diagnostics."""


def evaluate(
    expression: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    event: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    key: str | None = None,
    now: str | None = None,
    json: bool = False,
) -> int:
    """Evaluate one expression over an event and print its value as JSON; exit status 1 if it has none.

    Example: orchestrator rules eval 'event.data.total * 2' --event event.json

    Parameters
    ----------
    expression
        CEL, as in `when`.
    event
        A file with one CloudEvent as JSON, or - for stdin; `id`, `source` and `time` may be missing.
    key
        What `key` is; by default the event's subject.
    now
        What `now` is, RFC 3339; by default the event's time.
    json
        Print the value or the error as one JSON object.
    """
    from rules import cel

    moment = micros("--now", now)
    variables = _variables(None if event is None else event_attributes(event), key, moment)
    try:
        value = cel.payload(_evaluate(expression, variables))
    except cel.CelError as error:
        found = _diagnostic(expression, error, variables)
        if json:
            json_line({"ok": False, "error": found.as_json()})
        else:
            note(found.render())
        return FAILED
    if json:
        json_line({"ok": True, "value": value})
    else:
        line(orjson.dumps(value).decode())
    return OK


def _variables(attributes: Mapping[str, Any] | None, key: str | None, now: int | None) -> dict[str, Any]:
    """Those that can be known. Raises CommandFailed for what is no event."""
    from rules.compile.variables import whole
    from rules.given import completed, event_of
    from rules.nodes.kept import moment
    from streams import rfc3339
    from streams.intake import IntakeError

    found: dict[str, Any] = {}
    if attributes is not None:
        if attributes.get("time") is None:
            present = time.time_ns() // 1000 if now is None else now
            attributes = {**attributes, "time": rfc3339.format(present)}
        try:
            event = event_of(completed(attributes, 1))
        except IntakeError as error:
            raise CommandFailed(f"the event: {error}") from error
        found = {"event": whole(event, event.payload()), "key": event.subject, "now": moment(event.time)}
    if key is not None:
        found["key"] = key
    if now is not None:
        found["now"] = moment(now)
    return found


def _evaluate(text: str, variables: Mapping[str, Any]) -> Any:
    """Raises rules.cel.CelError."""
    from rules import cel

    program = cel.compile(text)
    environment = dict.fromkeys(variables, cel.types.ANY)
    cel.check(program.node, environment, text)
    return program(variables)


def _diagnostic(text: str, error: Exception, variables: Mapping[str, Any]) -> Diagnostic:
    from rules import cel
    from rules.diagnostics import Diagnostic, did_you_mean, tidy

    hint = None
    if isinstance(error, cel.CelSyntaxError):
        place, hint = error, error.hint
    else:
        assert isinstance(error, cel.CelEvaluationError)
        whole = error.offset is None
        place = cel.CelSyntaxError(error.message, text, error.offset or 0, len(text) if whole else error.end)
        if isinstance(error, cel.NotEvaluated):
            *parents, field = text[place.offset : place.end].split(".")
            hint = did_you_mean(field, _fields(parents, variables))
    if place.message.startswith("unknown name") and hint is None:
        hint = _hint(text[place.offset : place.end], variables)
    source = text.split("\n")[place.line - 1]
    end = min(place.column + max(1, place.end - place.offset), len(source) + 1)
    message, hint = tidy(place.message), tidy(hint) if hint else None
    return Diagnostic("error", "expression", message, NAME, place.line, place.column, end, hint, source)


def _fields(path: Sequence[str], variables: Mapping[str, Any]) -> list[str]:
    """The fields of the map at a path; none of what is no map, or of an operand that is no path."""
    found: Any = variables
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return [str(field) for field in found] if isinstance(found, Mapping) else []


def _hint(name: str, variables: Mapping[str, Any]) -> str:
    flag = {"event": "--event FILE", "key": "--key KEY", "now": "--now TIME"}.get(name)
    if flag is not None and name not in variables:
        return f"`{flag}` gives it"
    return "only `event`, `key` and `now` are known here: rows, `let` values and tables need a rule set"
