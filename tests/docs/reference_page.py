"""Writes docs/reference.md from the JSON Schema of the language: `python -m tests.docs.reference_page`."""

import json
from collections.abc import Iterator
from typing import Any

from rules.json_schema import schema
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference.md"

HEAD = """# Reference of rule files

Every key of a rule file, written from [the published JSON Schema](../rules/json_schema/rules.json). What the keys mean
together, with examples that run, is in [The rule language](rules.md).
"""


TABLE = "| key | kind | needed | default | meaning |\n|---|---|---|---|---|\n"


def page() -> str:
    whole = schema()
    defs: dict[str, Any] = whole["$defs"]
    described = {name: each for name, each in defs.items() if "description" in each or _forms(each)}
    parts = [HEAD, *_section("file", {**whole, "description": "A whole file."}, described)]
    for name, each in described.items():
        parts.extend(_section(name, each, described))
    return "".join(parts)


def _forms(each: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The maps with keys of their own that may stand there, each with what is said above its keys."""
    named = each.get("additionalProperties")
    alternatives = [("", form) for form in [each, *each.get("anyOf", [])]]
    if isinstance(named, dict):
        alternatives.append(("Under a name:", named))
    return [(said, form) for said, form in alternatives if form.get("properties")]


def _section(name: str, each: dict[str, Any], described: dict[str, Any]) -> Iterator[str]:
    yield f"\n## {name}\n"
    if "description" in each:
        yield f"\n{each['description']}\n"
    for said, form in _forms(each):
        yield f"\n{said}\n\n{TABLE}" if said else f"\n{TABLE}"
        for key, value in form["properties"].items():
            default = f"`{written(value['default'])}`" if "default" in value else ""
            needed = "yes" if key in form.get("required", []) else ""
            meaning = value.get("description") or described.get(_name(value), {}).get("description", "")
            meaning = meaning.replace("|", r"\|")
            yield f"| `{key}` | {_kind(value, described)} | {needed} | {default} | {meaning} |\n"


def written(value: Any) -> str:
    """As rule files write it: `true`, not `True`."""
    return value if isinstance(value, str) else json.dumps(value)


def _name(value: dict[str, Any]) -> str:
    """Of the definition that it refers to; "" if to none."""
    return str(value.get("$ref", "")).rpartition("/")[2]


def _kind(value: dict[str, Any], described: dict[str, Any]) -> str:
    if name := _name(value):
        return f"[{name}](#{name})" if name in described else name
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(dict.fromkeys(f"`{each}`" for each in value["enum"]))
    if "anyOf" in value:
        return " or ".join(_kind(each, described) for each in value["anyOf"])
    if "allOf" in value:
        return _kind(value["allOf"][0], described)
    if isinstance(items := value.get("items"), dict):
        return f"list of {_kind(items, described)}"
    if isinstance(each := value.get("additionalProperties"), dict):
        return f"map to {_kind(each, described)}"
    said = value.get("type", "any")
    return said if isinstance(said, str) else " or ".join(said)


if __name__ == "__main__":
    PAGE.write_text(page())
