"""`orchestrator rules explain`: why an event did what it did, and did not what it did not."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.one_event import event_attributes
from orchestrator.cli.rules import known_modules, load_rules, rule_paths
from orchestrator.cli.show import json_line, line, note, progress

if TYPE_CHECKING:
    from replay.explain import Found
    from streams.event import Event


def explain(
    event: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    events: Path | None = None,
    rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules_old: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    source: str | None = None,
    rule: str | None = None,
    log: str | None = None,
    json: bool = False,
) -> int:
    """Tell what each rule made of an event: which comparison decided, what it remembered, and what it would take.

    Example: orchestrator rules explain V12-2

    Parameters
    ----------
    event
        The id of an event in the log; or a file with one CloudEvent as JSON, or - for stdin.
    events
        A file of events, as for `simulate`, in place of the log: those before the event are its history.
    rules
        Rule files or folders, where there is no log to say which rules were active; by default ./rules.yaml or ./rules.
    python_rules
        Files of Python rules, whose code is run, where rule sets of the log need them.
    python_rules_old
        Python rules as they once were, which older rule sets of the log need.
    source
        The event's source, where several have events of this id.
    rule
        Tell of this rule alone.
    log
        The log; by default sqlite:///.orchestrator/log.db (ORCHESTRATOR_LOG).
    json
        Print the explanation as one JSON object.
    """
    from rules.explain.text import text

    given = _given(event)
    if events is not None or given is not None:
        if log is not None:
            raise CommandFailed("--log: an event in a file is explained without the log; leave one of them out", USAGE)
        found = _in_file(given or event, events, rules, python_rules, source, rule)
    else:
        if rules:
            message = "--rules: the log knows which rules were active; with --events FILE others can be tried"
            raise CommandFailed(message, USAGE)
        found = _in_log(event, source, rule, log, known_modules(python_rules, python_rules_old))
    if json:
        json_line({**found.explained.as_json(), "place": found.place, "notes": list(found.notes)})
        return OK
    line(text(found.explained))
    for each in (found.place, *found.notes):
        note(f"({each})")
    return OK


def _given(event: str) -> Event | None:
    """The event of a file, if that is what was named. Raises CommandFailed."""
    from rules.given import completed, event_of
    from streams.intake import IntakeError

    if event != "-" and not Path(event).is_file():
        return None
    try:
        return event_of(completed(event_attributes(Path(event)), 1))
    except IntakeError as error:
        raise CommandFailed(f"{'stdin' if event == '-' else event}: {error}") from error


def _in_file(
    wanted: str | Event,
    events: Path | None,
    rules: tuple[Path, ...],
    python: tuple[Path, ...],
    source: str | None,
    rule: str | None,
) -> Found:
    from orchestrator.settings import load
    from replay.explain import ExplainError, in_file
    from rules.compile import compile_rules

    ruleset = load_rules(rule_paths(rules, load().rules), python)
    _known_rule(rule, [each.name for each in ruleset.rules])
    try:
        return in_file(compile_rules(ruleset), events, wanted, source, rule)
    except ExplainError as error:
        raise CommandFailed(str(error)) from error


def _in_log(id: str, source: str | None, rule: str | None, log: str | None, modules: list[tuple[str, str]]) -> Found:
    from orchestrator.activation import Processors
    from orchestrator.cli.replay import open_existing
    from replay.explain import ExplainError, in_log
    from rules.diagnostics import RuleErrors
    from streams.log import LogError

    with closing(open_existing(log)) as opened, progress("explaining") as advance:
        try:
            return in_log(opened, id, source, Processors(opened, modules), rule, advance)
        except (ExplainError, LogError, RuleErrors) as error:
            raise CommandFailed(str(error)) from error


def _known_rule(rule: str | None, names: list[str]) -> None:
    from rules.diagnostics import did_you_mean

    if rule is not None and rule not in names:
        hint = did_you_mean(rule, names)
        raise CommandFailed(f"--rule={rule}: there is no such rule" + (f"; {hint}" if hint else ""), USAGE)
