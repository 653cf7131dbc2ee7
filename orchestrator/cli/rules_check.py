"""`orchestrator rules check`: what is wrong with rule files, for people, programs and code hosts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.rules import load_rules, rule_paths
from orchestrator.cli.show import count, json_line, line, note, table
from orchestrator.python_rules import read_modules
from orchestrator.rule_files import RuleFilesError, read_rule_files, where_files_lie

if TYPE_CHECKING:
    from rules.compile.plan import Plans
    from rules.diagnostics import Diagnostic
    from rules.ruleset import RuleSet

Format = Literal["text", "json", "sarif"]


def check(
    *paths: Path,
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    format: Format = "text",
    json: bool = False,
    verbose: Annotated[bool, Parameter(alias="-v")] = False,
) -> int:
    """Find everything that is wrong with rule files, without running them.

    Example: orchestrator rules check rules.yaml

    Parameters
    ----------
    paths
        Rule files or folders; by default ./rules.yaml or ./rules.
    python_rules
        Files of Python rules, whose code is run.
    format
        text for people, json for programs (one object), sarif for code hosts and editors.
    json
        The same as --format json.
    verbose
        Show also which index finds each rule, and what is kept of each key.
    """
    from orchestrator.settings import load
    from rules.compile import compiled

    if json and format not in ("text", "json"):
        raise CommandFailed(f"--json and --format {format} contradict each other: leave one out", USAGE)
    found = rule_paths(paths, load().rules)
    python = python_rules or load().python_rules
    if format == "sarif":
        return _sarif(found, python)
    machine = json or format == "json"
    ruleset = load_rules(found, python, json=machine)
    plans = compiled(ruleset).plans
    if machine:
        more = {"index": _index(ruleset, plans), "state": _state(ruleset)} if verbose else {}
        json_line(
            {
                "ok": True,
                "ruleset": ruleset.name,
                "digest": ruleset.digest,
                "rules": [rule.name for rule in ruleset.rules],
                "projections": sorted(ruleset.projections),
                "diagnostics": [each.as_json() for each in ruleset.warnings],
                **more,
            }
        )
        return OK
    for each in ruleset.warnings:
        note(each.render())
    line(_summary(ruleset))
    if verbose:
        line("")
        table(("RULE", "HEARS", "FOUND BY"), [_found_by(each) for each in _index(ruleset, plans)])
        line("")
        rows = [(each["owner"], each["per_key"], each["bytes"], each["until"]) for each in _state(ruleset)]
        table(("KEPT OF A KEY", "WHAT", "ABOUT BYTES", "UNTIL"), rows)
    return OK


def _index(ruleset: RuleSet, plans: Plans) -> list[dict[str, Any]]:
    from rules.compile.index_use import index_uses

    return [asdict(each) for each in index_uses(ruleset, plans)]


def _found_by(use: dict[str, Any]) -> tuple[str, str, str]:
    rules = count(use["beside"], "rule")
    how = {
        "index": f"index on {use['path']}, one of {rules}",
        "tested": f"tested one by one, one of {rules}",
        "always": "no condition: met by every one",
    }
    return use["rule"], use["heard"], how[use["how"]]


def _state(ruleset: RuleSet) -> list[dict[str, Any]]:
    from rules.growth import growth

    return [asdict(each) for each in growth(ruleset)]


def _summary(ruleset: RuleSet) -> str:
    rules, projections = count(len(ruleset.rules), "rule"), count(len(ruleset.projections), "projection")
    return f"{ruleset.name}: {rules}, {projections}, {ruleset.digest}"


def _sarif(paths: tuple[Path, ...], python: tuple[Path, ...]) -> int:
    """One SARIF document on stdout, also where there are errors."""
    from rules.compile import compile_rules
    from rules.diagnostics import RuleErrors
    from rules.load import load_sources

    try:
        sources, modules = read_rule_files(paths), read_modules(python)
        lie = {name: _relative(file) for name, file in where_files_lie((*paths, *python)).items()}
    except RuleFilesError as error:
        raise CommandFailed(str(error)) from error
    try:
        ruleset = load_sources(sources, modules)
    except RuleErrors as error:
        _print(error.diagnostics, lie)
        raise CommandFailed(f"the rules have errors{' (not all are shown)' if error.more else ''}") from error
    compile_rules(ruleset)
    _print(ruleset.warnings, lie)
    return OK


def _print(diagnostics: Iterable[Diagnostic], lie: dict[str, str]) -> None:
    from orchestrator.sarif import sarif

    json_line(sarif(diagnostics, lie, version("business-logic-orchestrator")))


def _relative(file: Path) -> str:
    """To where the command is called, if it lies there; else whole."""
    absolute = file.absolute()
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()
