"""The files that a server is given: rules, Python rules, targets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.errors import TargetError
from orchestrator.doctor.finding import Finding
from orchestrator.python_rules import read_modules
from orchestrator.rule_files import RuleFilesError, read_rule_files
from orchestrator.settings import Settings
from orchestrator.targets import check_rules, read_targets
from orchestrator.wiring import wall_clock
from rules.compile import compile_rules
from rules.diagnostics import Diagnostic, RuleErrors
from rules.load import load_sources

HERE: Final = (Path("rules.yaml"), Path("rules"))


def rules(settings: Settings) -> Iterator[Finding]:
    paths = settings.rules or tuple(path for path in HERE if path.exists())[:1]
    if not paths:
        yield Finding(
            "rules", "warn", "none are named, and none lie here", "name files or folders (ORCHESTRATOR_RULES)"
        )
        return
    try:
        ruleset = load_sources(read_rule_files(paths), read_modules(settings.python_rules))
        compile_rules(ruleset)
    except RuleFilesError as error:
        yield Finding("rules", "fail", str(error), "name files that are there (ORCHESTRATOR_RULES)")
        return
    except RuleErrors as error:
        yield Finding("rules", "fail", _first(error), f"orchestrator rules check {' '.join(map(str, paths))}")
        return
    rules, projections = _count(len(ruleset.rules), "rule"), _count(len(ruleset.projections), "projection")
    said = f"{ruleset.name}: {rules}, {projections}"
    if ruleset.warnings:
        more = f"{said}; {_count(len(ruleset.warnings), 'warning')}"
        yield Finding("rules", "warn", more, f"orchestrator rules check {' '.join(map(str, paths))}")
    else:
        yield Finding("rules", "ok", said)
    try:
        check_rules(ruleset, read_targets(settings.targets, wall_clock, settings.imports))
    except TargetError:
        return  # as the check of the targets says
    except RuleErrors as error:
        yield Finding("rules", "fail", _first(error), "declare the target (ORCHESTRATOR_TARGETS), or mend the rule")


def targets(settings: Settings) -> Iterator[Finding]:
    try:
        found = read_targets(settings.targets, wall_clock, settings.imports)
    except TargetError as error:
        yield Finding("targets", "fail", str(error), "mend the targets file (ORCHESTRATOR_TARGETS)")
        return
    if settings.targets is None:
        yield Finding("targets", "ok", f"no file is named; there is always {', '.join(sorted(found))}")
    else:
        yield Finding("targets", "ok", f"{settings.targets}: {', '.join(sorted(found))}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _first(error: RuleErrors) -> str:
    """The first mistake, and how many more."""
    first: Diagnostic = error.diagnostics[0]
    more = len(error.diagnostics) - 1
    return first.render().splitlines()[0] + (f" (and {more:,} more)" if more else "")
