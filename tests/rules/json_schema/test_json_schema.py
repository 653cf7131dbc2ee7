"""The JSON Schema of rule files takes what the language takes, and refuses what is wrong in form."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from rules.diagnostics import RuleErrors
from rules.json_schema import schema
from rules.load import load_sources
from rules.model.event_schema import FieldKind
from tests.docs.pages import PAGES, ROOT, blocks, name
from tests.rules.json_schema.reading import instance

HERE = Path(__file__).parent
LANGUAGE = instance((HERE / "language.yaml").read_text())
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)

MISTAKES = [
    pytest.param(text, id=f"{file.stem}: {title}")
    for file in sorted((ROOT / "tests/rules/mistakes").glob("*.txt"))
    for title, text in re.findall(r"^=== (.*)\n((?:.*\n)*?)::::\n", file.read_text("utf-8"), re.MULTILINE)
]
FORM = frozenset("unknown-key missing wrong-kind conflict bad-name bad-type bad-duration bad-time bad-event".split())
"""Codes of mistakes that are mostly seen in a file's form."""
BEYOND = (
    "a type that is folded and deletes",  # two sections name one type
    "a let value that hides a projection",
    "a sequence of one event",  # with `times` one step is enough
    "a step named as a projection",
    "a step longer than the window",
    "too many steps",
    "a time that is too long",  # a sum
    "no time",  # given events may have none if the first has
)
"""Mistakes that no schema can know."""


def complaints(value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(value)]


def test_it_is_a_schema_and_the_published_file_is_it() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    published = ROOT / "rules/json_schema/rules.json"
    remedy = f"run: orchestrator rules schema > {published.relative_to(ROOT)}"
    assert json.loads(published.read_text()) == SCHEMA, remedy


def test_all_of_the_language_is_taken() -> None:
    assert complaints(LANGUAGE) == []


def files() -> Iterator[Any]:
    for page in PAGES:
        for block in blocks(page.read_text()):
            if block.language == "yaml" and "wrong" not in block.flags and not block.body.startswith("targets:"):
                yield pytest.param(block.body, id=f"{name(page)}:{block.line}")
    for file in (*(ROOT / "examples").rglob("*.yaml"), *(ROOT / "tests/oracle/sentences").glob("*.yaml")):
        if "\ntargets:" not in f"\n{file.read_text()}":
            yield pytest.param(file.read_text(), id=name(file))


@pytest.mark.parametrize("text", list(files()))
def test_every_example_is_taken(text: str) -> None:
    assert complaints(instance(text)) == []


@pytest.mark.parametrize("text", MISTAKES)
def test_what_is_wrong_in_form_is_refused_and_what_loads_is_taken(text: str, request: pytest.FixtureRequest) -> None:
    try:
        load_sources({"rules.yaml": text})
    except RuleErrors as error:
        codes = {each.code for each in error.diagnostics if each.severity == "error"}
        if codes <= FORM and not any(title in request.node.name for title in BEYOND):
            assert complaints(instance(text))
    else:
        assert complaints(instance(text)) == []


WRONG: dict[str, Any] = {
    "rules.plain.whn": True,
    "rules.plain.on": "orchestrator.*",
    "rules.plain.once": "yes",
    "rules.plain.keep": "0s",
    "rules.plain.then": [],
    "rules.sliding.over": "ten minutes",
    "rules.last.over": {"last": 0},
    "rules.stepped.over": {"tumbling": "1h", "step": "1m"},
    "rules.session.over": {"session": "1h", "tumbling": "1h"},
    "rules.tumbling.after": "1h",
    "rules.sequence.on": "a",
    "rules.sequence.within": "5 m",
    "rules.sequence.sequence": [{"a": {"on": "x"}, "b": {"on": "y"}}],
    "rules.deadline.pending": "all",
    "rules.deadline.unless": {"when": "true"},
    "rules.several kinds of events.let": {"event": "1"},
    "rules.several kinds of events.priority": 1.5,
    "rules.several kinds of events.settle": 30,
    "rules.deadline.then": [{"command": "c", "to": "t", "order": "event"}],
    "rules.deadline of one.then": [{"command": "c", "to": "t", "fallback": []}],
    "projections.orders.scope": "here",
    "projections.orders.keep": "for ever",
    "projections.orders.index": ["limit"],
    "tables.risk.hit": "all",
    "tables.risk.rows": [["-", "-"]],
    "tables.risk.inputs": [],
    "events.order.placed": {"x": "decimal"},
    "events.order.placed/2": {"from/0": {"x": "1"}},
    "tests.a test.until": "2024-01-01",
    "tests.a test.expect": [{}],
    "tests.a test.given": [{"subject": "a"}],
    "ruleset": None,
    "rulez": {},
}


@pytest.mark.parametrize("path", WRONG)
def test_one_wrong_thing_is_refused(path: str) -> None:
    wrong = copy.deepcopy(LANGUAGE)
    section, _, rest = path.partition(".")
    if rest and section != "events":
        within, _, key = rest.rpartition(".")
        wrong[section][within][key] = WRONG[path]
    elif rest:
        wrong[section][rest] = WRONG[path]
    else:
        wrong[section] = WRONG[path]
    assert complaints(wrong)


@pytest.mark.parametrize("key", ["over", "unless", "within", "sequence", "pending"])
def test_what_needs_another_key_is_refused_without_it(key: str) -> None:
    needs = {"over": "having", "unless": "after", "within": "sequence", "sequence": "within", "pending": "after"}
    rule = next(
        copy.deepcopy(each) for each in LANGUAGE["rules"].values() if key in each and needs.get(key, key) in each
    )
    if key == "over":
        del rule["over"]
    else:
        del rule[needs[key]]
    assert complaints({"rules": {"r": rule}})


def untold(value: Any, at: str) -> Iterator[str]:
    """Keys of records without a description, of their own or of what they refer to."""
    if isinstance(value, list):
        for each in value:
            yield from untold(each, at)
    if not isinstance(value, dict):
        return
    if value.get("additionalProperties") is False:
        for key, each in value["properties"].items():
            meant = SCHEMA["$defs"].get(each.get("$ref", "").removeprefix("#/$defs/"), {})
            if "description" not in {**each, **meant}:
                yield f"{at}.{key}"
    for key, each in value.items():
        yield from untold(each, f"{at}.{key}")


def test_every_key_tells_what_it_means() -> None:
    """Editors show it where the pointer rests."""
    assert list(untold(SCHEMA, "")) == []


def test_kinds_of_fields_are_those_of_the_loader() -> None:
    for kind in get_args(FieldKind):
        assert complaints({"events": {"a": {"x": kind, "y": f"{kind}?"}}}) == []
