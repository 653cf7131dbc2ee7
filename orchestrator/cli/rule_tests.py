"""`orchestrator rules test`: whether rule files do what their tests say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from xml.etree import ElementTree as xml

from cyclopts import Parameter

from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.rules import load_rules, rule_paths
from orchestrator.cli.show import json_line, line, note
from orchestrator.rule_files import RuleFilesError, where_files_lie

if TYPE_CHECKING:
    from rules.ruleset import RuleSet
    from rules.testing import TestOutcome

LOOK: Final = 0.3
"""Seconds between looks at the files."""


def run_rule_tests(
    *paths: Path,
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    watch: bool = False,
    junit: Path | None = None,
    json: bool = False,
) -> int:
    """Run the `tests:` of rule files; exit status 1 if one fails.

    Example: orchestrator rules test rules.yaml

    Parameters
    ----------
    paths
        Rule files or folders; by default ./rules.yaml or ./rules.
    python_rules
        Files of Python rules, whose code is run.
    watch
        Run again whenever a file changes, until interrupted.
    junit
        Write the outcomes to this file, as JUnit XML.
    json
        Print every test with its outcome as one JSON object.
    """
    from orchestrator.settings import load

    found = rule_paths(paths, load().rules)
    python = python_rules or load().python_rules
    if not watch:
        return _run(found, python, junit, json)
    if json:
        raise CommandFailed("--watch and --json: one of them; --junit FILE is written at each run", USAGE)
    _watch(found, python, junit)
    return OK


def _run(paths: tuple[Path, ...], python: tuple[Path, ...], junit: Path | None, json: bool) -> int:
    from rules.testing import run_tests

    ruleset = load_rules(paths, python, json=json)
    began = time.perf_counter()
    outcomes = run_tests(ruleset)
    took = time.perf_counter() - began
    failed = [each for each in outcomes if not each.passed]
    if junit is not None:
        _write(junit, ruleset, outcomes, took)
    if json:
        tests = [{"name": each.name, "passed": each.passed, "report": each.report or None} for each in outcomes]
        json_line({"passed": len(outcomes) - len(failed), "failed": len(failed), "tests": tests})
        return FAILED if failed else OK
    for each in failed:
        line(each.report)
    line(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return FAILED if failed else OK


def _watch(paths: tuple[Path, ...], python: tuple[Path, ...], junit: Path | None) -> None:
    """Until the user interrupts. Files that cannot be read, or hold errors, are looked at again when they change."""
    seen: object = None
    while True:
        now = _stamps((*paths, *python))
        if now != seen:
            seen = now
            note(f"-- {time.strftime('%H:%M:%S')}")
            try:
                _run(paths, python, junit, False)
            except CommandFailed as error:
                note(f"orchestrator: {error}")
        time.sleep(LOOK)


def _stamps(paths: tuple[Path, ...]) -> object:
    """What is different once a file is: of each its name, time of change and size; or what is wrong with them."""
    try:
        files = [(file, file.stat()) for file in where_files_lie(paths).values()]
        return [(str(file), found.st_mtime_ns, found.st_size) for file, found in files]
    except (OSError, RuleFilesError) as error:
        return str(error)


def _write(file: Path, ruleset: RuleSet, outcomes: list[TestOutcome], seconds: float) -> None:
    """Raises CommandFailed."""
    failures = sum(not each.passed for each in outcomes)
    counts = {"tests": str(len(outcomes)), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}
    suites = xml.Element("testsuites", counts)
    suite = xml.SubElement(suites, "testsuite", {"name": ruleset.name, **counts, "skipped": "0"})
    for each in outcomes:
        about = {"classname": f"{ruleset.name}.{each.span.file}", "name": each.name}
        case = xml.SubElement(suite, "testcase", {**about, "file": each.span.file, "line": str(each.span.line)})
        if not each.passed:
            message = each.report.partition("\n")[0]
            xml.SubElement(case, "failure", {"message": message, "type": "expectation"}).text = _plain(each.report)
    try:
        xml.ElementTree(suites).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror or error}") from error


def _plain(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
