"""`orchestrator rules diff`: what changes for keys that have state when one rule set takes the place of another."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.rules import known_modules, load_rules
from orchestrator.cli.show import count, json_line, line, table

if TYPE_CHECKING:
    from rules.difference import Change, Difference
    from rules.ruleset import RuleSet

DIFFERENT: Final = 1
TROUBLE: Final = 2
_LOG: Final = "log:"


def diff(old: str, new: str, *, log: str | None = None, all: bool = False, json: bool = False) -> int:
    """Show what one rule set means otherwise than another, and what becomes of state; exit status 1 if they differ.

    Example: orchestrator rules diff log:active rules.yaml

    The exit status is that of diff: 0 for sets that mean the same, 1 for a difference, 2 for trouble.

    Parameters
    ----------
    old
        A rule file or folder; log:active or log:DIGEST for a rule set that the log keeps.
    new
        The same, for the set that takes its place.
    log
        The log; by default sqlite:///.orchestrator/log.db (ORCHESTRATOR_LOG).
    all
        Show also what is unchanged.
    json
        Print the changes as one JSON object.
    """
    from rules.difference import difference

    try:
        before, after = _side(old, log), _side(new, log)
    except CommandFailed as error:
        raise CommandFailed(str(error), TROUBLE) from error
    found = difference(before, after)
    if json:
        changes = [asdict(each) for each in found.changes if all or each.how != "unchanged"]
        json_line({"same": found.same, "old": before.digest, "new": after.digest, "changes": changes})
    else:
        _show(found, all)
    return OK if found.same else DIFFERENT


def _show(found: Difference, all: bool) -> None:
    shown = [each for each in found.changes if all or each.how != "unchanged"]
    if shown:
        rows = [row for each in shown for row in _rows(each)]
        table(("PART", "CHANGE", "WHAT", "STATE"), rows)
        line("")
    unchanged = sum(each.how == "unchanged" for each in found.changes)
    verdict = "both mean the same" if found.same else count(len(found.changes) - unchanged, "difference")
    line(f"{verdict}, {count(unchanged, 'part')} unchanged")


def _rows(change: Change) -> list[tuple[str, str, str, str]]:
    """One for each node that holds state, the first with the part itself."""
    how = change.how if change.was is None else f"{change.how}, was {change.was}"
    states = [f"{each.node} {each.outcome}{_because(each.because)}" + _said(each.meaning) for each in change.state]
    first, *more = states or [change.meaning or "-"]
    part = (f"{change.kind} {change.name}", how, ", ".join(change.parts) or "-", first)
    return [part, *(("", "", "", each) for each in more)]


def _because(parts: tuple[str, ...]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _said(meaning: str) -> str:
    return f": {meaning}" if meaning else ""


def _side(named: str, log: str | None) -> RuleSet:
    """Raises CommandFailed."""
    if not named.startswith(_LOG):
        return load_rules((Path(named),))
    from orchestrator.activation import active
    from orchestrator.cli.replay import open_existing
    from rules.diagnostics import RuleErrors
    from rules.load import from_document

    with closing(open_existing(log)) as opened:
        digest = named.removeprefix(_LOG)
        if digest == "active":
            digest = active(opened, 0)
            if not digest:
                raise CommandFailed("no rule set is active in the log", USAGE)
        body = opened.document(digest)
        if body is None:
            raise CommandFailed(f"the log keeps no rule set {digest}: give its digest whole, or log:active", USAGE)
        try:
            return from_document(body, known_modules())
        except RuleErrors as error:
            raise CommandFailed(f"rule set {digest} cannot be read by this version: {error}") from error
