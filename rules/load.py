"""From the texts of rule files to a rule set, or to everything that is wrong with them.

`load_sources` is what the shell calls with the files it has read, `from_document` with what a log has kept; both are
pure and give equal rule sets for equal texts. All errors of all files are found together, up to a bound: those of
reading first, then those of the checks, which also look at whatever could be read of a set with errors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

import orjson

from rules import cel, checks
from rules.diagnostics import Diagnostic, Findings, RuleErrors, did_you_mean, one_of, shown
from rules.model.action import CommandAction, every
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.model.source import Span
from rules.model.table import Table
from rules.model.test_case import TestCase
from rules.python.module import read_module
from rules.python.needed import Modules, needed
from rules.reading.document import Document, document
from rules.reading.reader import Reader
from rules.ruleset import ENGINE, RuleSet
from rules.text.source import Source, decode
from rules.text.yaml import compose
from rules.versions import Versions

DEFAULT_NAME: Final = "rules"
MAX_FILES: Final = 1_000
NO_MODULES: Final[Mapping[str, str | bytes]] = {}
_Part = TypeVar("_Part", Projection, Table, Rule, TestCase)


def load_sources(sources: Mapping[str, str | bytes], modules: Mapping[str, str | bytes] = NO_MODULES) -> RuleSet:
    """The rule set of these files, name → text, in this order; `modules` are files of Python rules, whose code is run.
    Raises RuleErrors."""
    findings = Findings([*sources, *modules])
    parsed: dict[str, cel.Node] = {}
    texts: dict[str, Source] = {}
    documents: list[Document] = []
    rules = projections = 0
    if not sources or len(sources) > MAX_FILES:
        message = "there is no rule file" if not sources else f"there are more than {MAX_FILES} rule files"
        raise RuleErrors([Diagnostic("error", "file", message, "rules", 1, 1, 2)])
    for name, body in sources.items():
        source = decode(name, body, findings)
        if source is None:
            continue
        texts[name] = source
        errors = findings.errors
        root = compose(source, findings)
        if root is None:
            if findings.errors == errors:
                findings.add(Diagnostic("error", "file", "the file is empty", name, 1, 1, 2, None, source.line(1)))
            continue
        found = document(Reader(source, findings, parsed), root, rules, projections)
        documents.append(found)
        rules += len(found.rules)
        projections += len(found.projections)
    files = {name: source.text for name, source in texts.items()}
    python = {name: source for name, body in modules.items() if (source := decode(name, body, findings)) is not None}
    for name, source in python.items():
        called = read_module(source, findings, rules)
        rules += len(called)
        documents.append(Document(Reader(source, findings, parsed), rules=called))
        texts[name] = source
    ruleset = _merged(documents, files, findings)
    ruleset = replace(ruleset, modules={name: source.text for name, source in python.items()})
    for diagnostic in checks.check(ruleset, lambda file, line: texts[file].line(line)):
        findings.add(diagnostic)
    findings.raise_errors()
    return _with_warnings(ruleset, findings.sorted())


def from_document(body: bytes, modules: Modules = ()) -> RuleSet:
    """The rule set that a log has kept; `modules` are the files of Python rules that the operator named, of which it
    takes those that it was made of. Raises RuleErrors for what is no such document, too, and ModulesMissing."""
    try:
        kept: Any = orjson.loads(body)
        engine = kept["engine"]
        sources = dict(kept["files"])
        called = [(name, hashed) for name, hashed in kept.get("modules", ())]
        sound = isinstance(engine, int) and all(
            isinstance(name, str) and isinstance(text, str) for name, text in (*sources.items(), *called)
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        sound, engine, sources, called = False, 0, {}, []
    if not sound:
        raise RuleErrors([Diagnostic("error", "document", "this is no stored rule set", "document", 1, 1, 2)])
    if engine != ENGINE:
        message = f"the rule set was stored for level {engine} of the engine, and this one has level {ENGINE}"
        raise RuleErrors([Diagnostic("error", "document", message, "document", 1, 1, 2)])
    return load_sources(sources, needed(called, modules))


def check_targets(ruleset: RuleSet, targets: Collection[str]) -> list[Diagnostic]:
    """One error for each target that a rule names and nobody knows."""
    lines = {name: Source(name, text) for name, text in ruleset.sources.items()}
    found: list[Diagnostic] = []
    for rule in ruleset.rules:
        for action in every(rule.then):
            if not isinstance(action, CommandAction) or action.to in targets:
                continue
            span = action.to_span or action.span
            end = span.column + (len(action.to) if action.to_span else 1)
            hint = did_you_mean(action.to, targets)
            if hint is None:
                hint = f"there is {one_of(sorted(targets)[:10])}" if targets else "no target is configured"
            message = f"rule {shown(rule.name)} names a target that does not exist, {shown(action.to)}"
            line = lines[span.file].line(span.line) if span.file in lines else ""
            found.append(
                Diagnostic("error", "unknown-target", message, span.file, span.line, span.column, end, hint, line)
            )
    return found


def _merged(documents: Iterable[Document], sources: dict[str, str], findings: Findings) -> RuleSet:
    documents = list(documents)
    name = lateness = description = None
    for each in documents:
        if each.description is not None and description is None:
            description = each.description
        if each.name is not None:
            if name is not None and name[0] != each.name[0]:
                message = f"the rule set has two names: it is {shown(name[0])} in {shown(name[1])}"
                each.reader.error(each.name[1], "conflict", message)
            name = name or (each.name[0], each.reader.source.name)
        if each.lateness is not None:
            if lateness is not None and lateness[0] != each.lateness[0]:
                message = f"`lateness` has two values: the other is in {shown(lateness[1])}"
                each.reader.error(each.lateness[1], "conflict", message)
            lateness = lateness or (each.lateness[0], each.reader.source.name)
    lines = {each.reader.source.name: each.reader.source for each in documents}

    def once(what: str, parts: Iterable[tuple[str, _Part]]) -> dict[str, _Part]:
        """By name. A name used twice in one file has been reported there."""
        kept: dict[str, _Part] = {}
        for key, part in parts:
            first = kept.setdefault(key, part)
            if first is not part:
                findings.add(_twice(what, key, part.span, first.span, lines))
        return kept

    versions = Versions()
    for each in documents:
        for schema in each.schemas:
            first = versions.add(schema)
            if first is not None:
                findings.add(_twice("the schema of", schema.name, schema.span, first.span, lines))
    projections = once("projection", ((part.name, part) for each in documents for part in each.projections))
    tables = once("table", ((part.name, part) for each in documents for part in each.tables))
    rules = once("rule", ((part.name, part) for each in documents for part in each.rules))
    tests = once("test", ((part.name, part) for each in documents for part in each.tests))
    return RuleSet(
        name=name[0] if name is not None else DEFAULT_NAME,
        description=description or "",
        lateness=lateness[0] if lateness is not None else 0,
        schemas=versions.newest(),
        versions=versions.numbered(),
        projections=projections,
        tables=tables,
        rules=tuple(replace(rule, tables=tables) for rule in rules.values()) if tables else tuple(rules.values()),
        tests=tuple(tests.values()),
        sources=sources,
        named=name is not None or findings.errors > 0,
    )


def _twice(what: str, name: str, span: Span, first: Span, lines: Mapping[str, Source]) -> Diagnostic:
    message = f"{what} {shown(name)} stands twice: it is also in {shown(first.file)}, line {first.line}"
    end = span.column + len(name)
    line = lines[span.file].line(span.line)
    return Diagnostic("error", "duplicate-name", message, span.file, span.line, span.column, end, None, line)


def _with_warnings(ruleset: RuleSet, warnings: list[Diagnostic]) -> RuleSet:
    object.__setattr__(ruleset, "warnings", tuple(warnings))
    return ruleset
