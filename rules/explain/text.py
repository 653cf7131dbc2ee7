"""An explanation for people: lines for a terminal, without colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from rules.explain.explanation import Comparison, Decided, Explained, KeyExplained, RuleExplained
from rules.explain.state import when

_LONGEST: Final = 60
_MARKS: Final = {"fired": "●", "waits": "◐", "silent": "○", "cancelled": "◌"}


def text(explained: Explained) -> str:
    subject = f" of {explained.subject}" if explained.subject else ""
    lines = [f"{explained.type}{subject} at {when(explained.time)} (id {explained.id}, source {explained.source})"]
    if explained.unheard:
        lines.append("  nobody listens: no rule and no projection names this type")
    if explained.misfit is not None:
        lines.append("  it does not fit the schema of its type: it is evaluated all the same, and counted")
        lines.append(f"    {explained.misfit}")
    for listener, reason in explained.keyless.items():
        lines.append(f"  {_listener(listener)} has no key for it: {reason}")
    for key in explained.keys:
        lines += _key(key)
    return "\n".join(lines)


def _listener(listener: str) -> str:
    return listener if listener.startswith("projection ") else f"rule {listener}"


def _key(key: KeyExplained) -> Iterator[str]:
    yield f"under key {_json(key.key)}" + (", late" if key.late else "")
    if not key.known:
        yield "  the state of this key is not at hand: it is looked at as if it were new"
    for line in key.before:
        yield f"  before it, because its time had come: {line}"
    for fold in key.folds:
        if fold.error is not None:
            yield f"  projection {fold.projection} was not folded: {fold.error}"
        else:
            row = "without a row" if fold.row is None else _json(fold.row)
            yield f"  projection {fold.projection} is now {row}"
    for rule in key.rules:
        yield from rule_lines(rule)


def rule_lines(rule: RuleExplained) -> Iterator[str]:
    mark = _MARKS.get(rule.verdict, "·")
    yield f"  {mark} {rule.rule}: {rule.verdict}" + ("" if rule.verdict == "fired" else f", {rule.reason}")
    for state in rule.state:
        yield f"      remembered  {state}"
    for name, value in rule.lets.items():
        yield f"      let         {name} = {_json(value)}"
    for table in rule.tables:
        yield f"      table       {_table(table)}"
    for asked, value in rule.aggregates.items():
        yield f"      window      {asked} = {_json(value)}"
    decided = decisive(rule)
    for comparison in rule.comparisons:
        yield f"      {'decided by' if comparison is decided else 'looked at '}  {_compared(comparison)}"
    if rule.takes is not None:
        yield f"      would take  {rule.takes}"
    for command in rule.commands:
        shadow = " (shadow: not delivered)" if command.get("shadow") else ""
        yield f"      command     {command['command']} to {command['to']} {_json(command['args'])}{shadow}"
    for type in rule.emitted:
        yield f"      event       {type}"


def _table(decided: Decided) -> str:
    lines = ", ".join(map(str, decided.rows))
    found = f"the row in line {lines}" if len(decided.rows) == 1 else f"the rows in lines {lines}"
    row = found if decided.rows else decided.error or "no row fits"
    return (
        f"{decided.table}: {row}, of {', '.join(f'{read} = {_json(value)}' for read, value in decided.inputs.items())}"
    )


def decisive(rule: RuleExplained) -> Comparison | None:
    """The last that was false, or without a value."""
    outcomes = {"does not hold": bool, "not evaluated": str}
    outcome = outcomes.get(rule.verdict)
    if outcome is None:
        return None
    return next((each for each in reversed(rule.comparisons) if each.result.__class__ is outcome), None)


def _compared(comparison: Comparison) -> str:
    result = comparison.result if isinstance(comparison.result, str) else str(comparison.result).lower()
    read = ", ".join(map(_json, comparison.read))
    return f"{comparison.text}" + (f"  [{read}]" if read else "") + f"  → {result}"


def _json(value: Any) -> str:
    said = orjson.dumps(value).decode()
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"
