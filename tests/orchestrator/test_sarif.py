"""SARIF 2.1.0 as its schema wants it, and as code hosts read it.

The model below is the part of the official schema that our documents use, with its required properties and bounds; it
forbids everything else, so that a property that is not of SARIF is seen.
"""

from typing import Annotated, Any, Literal
from urllib.parse import unquote

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator.sarif import sarif
from rules.codes import CODES
from rules.diagnostics import Diagnostic, RuleErrors
from rules.load import load_sources

Level = Literal["none", "note", "warning", "error"]
From1 = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Message(Part):
    text: Text
    markdown: Text | None = None


class Configuration(Part):
    level: Level


class Rule(Part):
    id: Text
    shortDescription: Message
    fullDescription: Message
    help: Message
    defaultConfiguration: Configuration


class Driver(Part):
    name: Text
    semanticVersion: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+")]
    rules: list[Rule]

    @model_validator(mode="after")
    def unique(self) -> "Driver":
        assert len({rule.id for rule in self.rules}) == len(self.rules)
        return self


class Tool(Part):
    driver: Driver


class Artifact(Part):
    uri: Annotated[str, Field(pattern=r"^(file:///|[A-Za-z0-9._~%-])[A-Za-z0-9._~/%-]*$")]
    uriBaseId: str | None = None


class Region(Part):
    startLine: From1
    startColumn: From1
    endLine: From1
    endColumn: From1
    snippet: Message | None = None


class Physical(Part):
    artifactLocation: Artifact
    region: Region


class Location(Part):
    physicalLocation: Physical


class Result(Part):
    ruleId: Text
    ruleIndex: Annotated[int, Field(ge=0)]
    level: Level
    message: Message
    locations: list[Location]
    partialFingerprints: dict[str, str]


class Invocation(Part):
    executionSuccessful: bool
    exitCode: int


class Run(Part):
    tool: Tool
    invocations: list[Invocation]
    columnKind: Literal["utf16CodeUnits", "unicodeCodePoints"]
    results: list[Result]


class Sarif(Part):
    version: Literal["2.1.0"]
    schema_: Annotated[str, Field(alias="$schema", pattern="sarif-schema-2.1.0.json$")]
    runs: list[Run]


def found(text: str) -> tuple[Diagnostic, ...]:
    try:
        return load_sources({"rules.yaml": text}).warnings
    except RuleErrors as error:
        return error.diagnostics


WRONG = """ruleset: t
rules:
  r:
    on: a.b
    when: event.data.s + 'größe' = 3
    then: [{alert: x}]
  s: {on: a.b, once: true, then: [{alert: x}]}
"""


def run(text: str = WRONG, path: str = "rules.yaml") -> Run:
    document: dict[str, Any] = sarif(found(text), {"rules.yaml": path}, "1.2.3")
    (one,) = Sarif.model_validate(document).runs
    return one


def test_findings_have_their_place_their_level_and_the_hint() -> None:
    first, second = run().results
    assert (first.ruleId, first.level) == ("expression", "error")
    region = first.locations[0].physicalLocation.region
    assert (region.startLine, region.startColumn, region.endColumn) == (5, 34, 35)
    assert region.snippet == Message(text="=")
    assert first.message.text == "unexpected `=`: use `==` to compare"
    assert (second.ruleId, second.level) == ("unbounded", "warning")


def test_every_code_is_described_and_results_point_to_their_description() -> None:
    one = run()
    rules = one.tool.driver.rules
    assert [rule.id for rule in rules] == list(CODES)
    assert all(rules[result.ruleIndex].id == result.ruleId for result in one.results)


def test_rules_without_a_fault_make_a_run_without_results() -> None:
    one = run("ruleset: t\nrules: {r: {on: a, then: [{alert: x}]}}")
    assert one.results == []
    assert one.invocations[0].exitCode == 0
    assert run().invocations[0].exitCode == 1


@pytest.mark.parametrize(
    ("path", "uri", "base"),
    [
        ("rules/a b.yaml", "rules/a%20b.yaml", "SRCROOT"),
        ("größe:1.yaml", "gr%C3%B6%C3%9Fe%3A1.yaml", "SRCROOT"),
        ("/srv/rules.yaml", "file:///srv/rules.yaml", None),
    ],
)
def test_files_are_named_relative_to_the_call_or_whole(path: str, uri: str, base: str | None) -> None:
    location = run(path=path).results[0].locations[0].physicalLocation.artifactLocation
    assert (location.uri, location.uriBaseId) == (uri, base)
    assert unquote(uri).endswith(path)


def test_a_finding_is_known_again_when_lines_above_it_change() -> None:
    before, after = run(), run(WRONG.replace("rules:", "# a comment\nlateness: 5s\nrules:", 1))
    assert [r.partialFingerprints for r in before.results] == [r.partialFingerprints for r in after.results]


def test_equal_findings_have_fingerprints_of_their_own() -> None:
    same = run("ruleset: t\nrules:\n" + "".join(f"  r{n}:\n    on: a, b\n    then: [{{alert: x}}]\n" for n in range(3)))
    assert len({tuple(r.partialFingerprints.values()) for r in same.results}) == 3
