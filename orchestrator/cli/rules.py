"""`orchestrator rules test`: whether rule files do what their tests say.

Every command that reads rules finds them the same way (`rule_paths`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.exits import USAGE, CommandFailed
from orchestrator.cli.show import json_line, note
from orchestrator.python_rules import read_known, read_modules
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


def load_rules(paths: tuple[Path, ...], python: tuple[Path, ...] = (), *, json: bool = False) -> RuleSet:
    """The rule set of these files, and of the files of Python rules that are named here or in the settings. Diagnostics
    go to stderr, with `json` to stdout. Raises CommandFailed."""
    from orchestrator.settings import load
    from rules.diagnostics import RuleErrors
    from rules.load import load_sources

    try:
        return load_sources(read_rule_files(paths), read_modules(python or load().python_rules))
    except RuleFilesError as error:
        raise CommandFailed(str(error)) from error
    except RuleErrors as error:
        if json:
            json_line({"ok": False, "diagnostics": [each.as_json() for each in error.diagnostics]})
        else:
            for each in error.diagnostics:
                note(each.render())
        raise CommandFailed(f"the rules have errors{' (not all are shown)' if error.more else ''}") from error


def known_modules(python: tuple[Path, ...] = (), old: tuple[Path, ...] = ()) -> list[tuple[str, str]]:
    """The Python rules that are named here or in the settings, for rule sets that a log keeps. Raises CommandFailed."""
    from orchestrator.settings import load

    settings = load(python_rules=python or None, python_rules_old=old or None)
    try:
        return read_known((*settings.python_rules, *settings.python_rules_old))
    except RuleFilesError as error:
        raise CommandFailed(str(error)) from error
