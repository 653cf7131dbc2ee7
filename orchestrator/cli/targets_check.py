"""`orchestrator targets check`: what is wrong with targets files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.rules import load_rules
from orchestrator.cli.show import count, json_line, line, note

if TYPE_CHECKING:
    from adapters.problem import Problem
    from rules.ruleset import RuleSet


def check(
    *files: Path, rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (), json: bool = False
) -> int:
    """Find what is wrong with targets files, without asking the network.

    Example: orchestrator targets check targets.yaml

    Parameters
    ----------
    files
        Targets files, each by itself; by default that of the settings, or ./targets.yaml.
    rules
        Rule files or folders: whether every target that they name exists.
    json
        Print one JSON object.
    """
    from orchestrator.settings import load
    from orchestrator.target_check import check_targets_file
    from orchestrator.wiring import wall_clock

    settings = load()
    here = Path("targets.yaml")
    found = files or ((settings.targets,) if settings.targets is not None else ())
    if not found and here.exists():
        found = (here,)
    if not found:
        raise CommandFailed("no targets file: name one (ORCHESTRATOR_TARGETS), or write ./targets.yaml", USAGE)
    ruleset = load_rules(rules, json=json) if rules else None
    ok, names, diagnostics = True, list[str](), list[dict[str, Any]]()
    for path in found:
        try:
            checked = check_targets_file(path, wall_clock, settings.imports, settings.pool_max)
        except UnicodeDecodeError as error:
            raise CommandFailed(f"{path} is not UTF-8: {error.reason}") from error
        except OSError as error:
            raise CommandFailed(f"{path}: {error.strerror or error}") from error
        for each in checked.problems:
            diagnostics.append(asdict(each))
            if not json:
                note(_render(each))
        unknown = _unknown(ruleset, checked.targets) if ruleset is not None and checked.ok else []
        for rendered, as_json in unknown:
            diagnostics.append(as_json)
            if not json:
                note(rendered)
        names.extend(name for name in checked.targets if name not in names)
        ok = ok and checked.ok and not unknown
        if not json and checked.ok and not unknown:
            line(f"{path}: {count(len(checked.targets), 'target')}: {', '.join(sorted(checked.targets))}")
    if json:
        json_line({"ok": ok, "targets": sorted(names), "diagnostics": diagnostics})
    return OK if ok else FAILED


def _unknown(ruleset: RuleSet, targets: Any) -> list[tuple[str, dict[str, Any]]]:
    from rules.load import check_targets

    return [(each.render(), each.as_json()) for each in check_targets(ruleset, targets.keys())]


def _render(problem: Problem) -> str:
    text = f"{problem.file}:{problem.line}:{problem.column}: {problem.severity}: {problem.message}"
    return f"{text}\n{'':>5} = {problem.hint}" if problem.hint is not None else text
