"""The JSON Schema of targets files takes what is right, marks mistakes of form, and knows every kind there is."""

import json
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters import kinds
from adapters.json_schema import PUBLISHED, schema
from adapters.yaml_places import read
from tests.docs.pages import PAGES, ROOT, blocks, name

SCHEMA, MISSING = schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def complaints(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(read(text)[0])]


def test_it_is_a_schema_of_all_kinds_and_the_published_file_is_it() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert MISSING == {}
    assert SCHEMA["$defs"]["target"]["properties"]["kind"]["enum"] == kinds.names()
    remedy = f"run: orchestrator targets schema > {PUBLISHED.relative_to(ROOT)}"
    assert json.loads(PUBLISHED.read_text()) == SCHEMA, remedy


def files() -> list[Any]:
    found = [
        pytest.param(block.body, id=f"{name(page)}:{block.line}")
        for page in PAGES
        for block in blocks(page.read_text())
        if block.language == "yaml" and "wrong" not in block.flags and block.body.startswith("targets:")
    ]
    # What another distribution's kinds may say stands in no schema of ours.
    examples = [file for file in (ROOT / "examples").rglob("targets*.yaml") if "smtp-target" not in file.parts]
    return found + [pytest.param(file.read_text(), id=name(file)) for file in examples]


@pytest.mark.parametrize("text", files())
def test_what_documentation_and_examples_have_is_taken(text: str) -> None:
    assert complaints(text) == []


@pytest.mark.parametrize("text", ["", "targets:", "targets: {}", "targets: {a: {kind: log, timeout: 1m30s}}"])
def test_a_small_file_is_taken(text: str) -> None:
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("rules: {}", "$"),
        ("targets: {a: {}}", "$.targets.a"),
        ("targets: {a: {kind: pigeon}}", "$.targets.a.kind"),
        ("targets: {a: {kind: log, url: x}}", "$.targets.a"),
        ("targets: {a: {kind: webhook}}", "$.targets.a"),
        ("targets: {a: {kind: log, timeout: 5}}", "$.targets.a.timeout"),
        ("targets: {a: {kind: log, timeout: 5 seconds}}", "$.targets.a.timeout"),
        ("targets: {a: {kind: log, concurrency: 0}}", "$.targets.a.concurrency"),
        ("targets: {a: {kind: log, retry: {tries: 3}}}", "$.targets.a.retry"),
        ("targets: {a: {kind: temporal, address: 'a:1', operation: stop}}", "$.targets.a.operation"),
    ],
)
def test_mistakes_of_form_are_marked_where_they_are(text: str, where: str) -> None:
    assert [each.partition(": ")[0] for each in complaints(text)] == [where]


def test_a_duration_has_its_default_as_files_write_it() -> None:
    fields = SCHEMA["$defs"]["RetryModel"]["properties"]
    assert {key: fields[key]["default"] for key in ("initial", "max", "elapsed")} == {
        "initial": "1s",
        "max": "1h",
        "elapsed": "1d",
    }


def test_a_kind_whose_extra_is_missing_is_named_and_the_others_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "temporalio", None)
    monkeypatch.setitem(kinds.OURS, "temporal", "temporalio")
    made, missing = schema()
    assert list(missing) == ["temporal"]
    assert "business-logic-orchestrator[temporal]" in missing["temporal"]
    assert "temporal" in made["$defs"]["target"]["properties"]["kind"]["enum"]
    assert "WebhookModel" in made["$defs"]
