"""`orchestrator rules check|test`: what is wrong with rule files, and whether they do what their tests say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, note
from orchestrator.rule_files import RuleFilesError, read_rule_files

if TYPE_CHECKING:
    from rules.ruleset import RuleSet


def load_rules(paths: tuple[Path, ...], *, json: bool = False) -> RuleSet:
    """The rule set of these files. Diagnostics go to stderr, with `json` to stdout. Raises CommandFailed."""
    from rules.diagnostics import RuleErrors
    from rules.load import load_sources

    if not paths:
        raise CommandFailed("no rule files: name them with --rules or ORCHESTRATOR_RULES", USAGE)
    try:
        return load_sources(read_rule_files(paths))
    except RuleFilesError as error:
        raise CommandFailed(str(error)) from error
    except RuleErrors as error:
        if json:
            json_line({"ok": False, "diagnostics": [each.as_json() for each in error.diagnostics]})
        else:
            for each in error.diagnostics:
                note(each.render())
        raise CommandFailed(f"the rules have errors{' (not all are shown)' if error.more else ''}") from error


def check(*paths: Path, json: bool = False) -> int:
    """Find everything that is wrong with rule files or folders, without running them."""
    from orchestrator.settings import load
    from rules.compile import compile_rules

    ruleset = load_rules(paths or load().rules, json=json)
    compile_rules(ruleset)
    if json:
        json_line(
            {
                "ok": True,
                "ruleset": ruleset.name,
                "digest": ruleset.digest,
                "rules": [rule.name for rule in ruleset.rules],
                "projections": sorted(ruleset.projections),
                "diagnostics": [each.as_json() for each in ruleset.warnings],
            }
        )
        return OK
    for each in ruleset.warnings:
        note(each.render())
    line(f"{ruleset.name}: {len(ruleset.rules)} rules, {len(ruleset.projections)} projections, {ruleset.digest}")
    return OK


def run_rule_tests(*paths: Path, json: bool = False) -> int:
    """Run the `tests:` of rule files; exit status 1 if one fails."""
    from orchestrator.settings import load
    from rules.testing import run_tests

    outcomes = run_tests(load_rules(paths or load().rules, json=json))
    failed = [each for each in outcomes if not each.passed]
    if json:
        tests = [{"name": each.name, "passed": each.passed, "report": each.report or None} for each in outcomes]
        json_line({"passed": len(outcomes) - len(failed), "failed": len(failed), "tests": tests})
        return FAILED if failed else OK
    for each in failed:
        line(each.report)
    line(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return FAILED if failed else OK
