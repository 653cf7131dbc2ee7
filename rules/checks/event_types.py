"""Event types that nobody declares, in a rule set that declares others of nearly the same name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, closest, shown
from rules.model.action import EmitAction, every
from rules.model.source import Span


def check(context: Context) -> Iterator[Diagnostic]:
    ruleset = context.ruleset
    known = set(ruleset.schemas)
    if not known:
        return
    known.update(action.type for rule in ruleset.rules for action in every(rule.then) if isinstance(action, EmitAction))
    suspects: dict[str, list[Span]] = {}
    for type, span in _listened(context):
        if type not in known and "*" not in type and not type.startswith("orchestrator."):
            suspects.setdefault(type, []).append(span)
    for type, spans in suspects.items():
        meant = closest(type, known)
        # two types of one family are alike too: only a slip of the pen is worth a word
        if meant is None or not _slip(type, meant):
            continue
        for span in spans:
            message = f"{shown(type)} is not among the declared events"
            yield context.at(span, len(type), "warning", "unknown-type", message, f"did you mean {shown(meant)}?")


def _listened(context: Context) -> Iterator[tuple[str, Span]]:
    for rule in context.ruleset.rules:
        yield from _pairs(rule.on, rule.on_spans)
        if rule.deadline is not None and rule.deadline.unless is not None:
            yield from _pairs(rule.deadline.unless.on, rule.deadline.unless.on_spans)
        if rule.sequence is not None:
            for _, each in rule.sequence.listeners:
                yield from _pairs(each.on, each.on_spans)


def _pairs(types: Iterable[str], spans: Iterable[Span]) -> Iterator[tuple[str, Span]]:
    yield from zip(types, spans, strict=True)


def _slip(written: str, meant: str) -> bool:
    """Whether one edit, or one swap of neighbours, or the case makes one of the other."""
    a, b = written.lower(), meant.lower()
    if a == b:
        return True
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    left, right = a[start : len(a) - end], b[start : len(b) - end]
    return max(len(left), len(right)) <= 1 or (len(left) == len(right) == 2 and left == right[::-1])
