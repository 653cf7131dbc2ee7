"""`orchestrator rules test`: whether rule files do what their tests say.

Every command that reads rules finds them the same way (`rule_paths`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, note
from orchestrator.rule_files import RuleFilesError, read_rule_files

if TYPE_CHECKING:
    from rules.ruleset import RuleSet


def rule_paths(named: tuple[Path, ...], configured: tuple[Path, ...]) -> tuple[Path, ...]:
    """Those named on the command line, or in the settings, or what lies here. Raises CommandFailed."""
    here = tuple(path for path in (Path("rules.yaml"), Path("rules")) if path.exists())
    if found := named or configured or here[:1]:
        return found
    raise CommandFailed(
        "no rules: name files or folders (ORCHESTRATOR_RULES), or put them into ./rules.yaml or ./rules", USAGE
    )


def load_rules(paths: tuple[Path, ...], *, json: bool = False) -> RuleSet:
    """The rule set of these files. Diagnostics go to stderr, with `json` to stdout. Raises CommandFailed."""
    from rules.diagnostics import RuleErrors
    from rules.load import load_sources

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


def run_rule_tests(*paths: Path, json: bool = False) -> int:
    """Run the `tests:` of rule files; exit status 1 if one fails.

    Example: orchestrator rules test rules.yaml

    Parameters
    ----------
    paths
        Rule files or folders; by default ./rules.yaml or ./rules.
    json
        Print every test with its outcome as one JSON object.
    """
    from orchestrator.settings import load
    from rules.testing import run_tests

    outcomes = run_tests(load_rules(rule_paths(paths, load().rules), json=json))
    failed = [each for each in outcomes if not each.passed]
    if json:
        tests = [{"name": each.name, "passed": each.passed, "report": each.report or None} for each in outcomes]
        json_line({"passed": len(outcomes) - len(failed), "failed": len(failed), "tests": tests})
        return FAILED if failed else OK
    for each in failed:
        line(each.report)
    line(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return FAILED if failed else OK
