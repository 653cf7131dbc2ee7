"""Writes docs/targets-reference.md from the models of all kinds of targets: `python -m tests.docs.targets_page`."""

from collections.abc import Iterator
from typing import Any

from adapters.json_schema import schema
from adapters.target_file import TargetModel
from tests.docs.pages import ROOT
from tests.docs.reference_page import written

PAGE = ROOT / "docs/targets-reference.md"

HEAD = """# Reference of targets files

Every key of every kind of target, written from [the published JSON Schema](../adapters/json_schema/targets.json). What
the keys mean together, with examples that run, is told with the [targets](targets.md) and on the pages of
[webhooks](targets/webhook.md), [models](targets/langchain.md) and [workflows](targets/temporal.md). A duration is
written with its unit: `500ms`, `10s`, `1h30m`.

`orchestrator targets schema` prints the schema with the kinds that are installed, and a server has it under
`/v1/schemas/targets.json`; an editor uses it as it does [that of rule files](editors.md).
"""

TABLE = "\n| key | kind | needed | default | meaning |\n|---|---|---|---|---|\n"
Schema = dict[str, Any]


def page() -> str:
    whole, missing = schema()
    assert not missing, f"install all extras: {missing}"
    defs: dict[str, Schema] = whole["$defs"]
    bodies = [_ref(each["then"]) for each in defs["target"]["allOf"]]
    kinds = {name: defs[name] for name in bodies}
    plainest = min((each["properties"] for each in kinds.values()), key=len)
    shared = {key: plainest[key] for key in TargetModel.model_fields}
    shared["kind"] = defs["target"]["properties"]["kind"]
    parts = [HEAD, "\n## Every target\n", *_table(shared, ["kind"], defs)]
    for each in kinds.values():
        name = each["properties"]["kind"]["const"]
        own = {key: value for key, value in each["properties"].items() if key != "kind" and value != shared.get(key)}
        parts.append(f"\n## {name}\n")
        if "description" in each:
            parts.append(f"\n{_line(each['description'])}\n")
        parts.extend(_table(own, each.get("required", []), defs) if own else ["\nNo keys but those of every target.\n"])
    for name, each in sorted(defs.items()):
        if name not in kinds and name != "target":
            parts.append(f"\n## {_title(name)}\n")
            if "description" in each:
                parts.append(f"\n{_line(each['description'])}\n")
            parts.extend(_table(each["properties"], each.get("required", []), defs))
    return "".join(parts)


def _table(fields: Schema, required: list[str], defs: Schema) -> Iterator[str]:
    yield TABLE
    for key, value in fields.items():
        default = f"`{written(value['default'])}`" if value.get("default", "") != "" else ""
        meaning = _line(value.get("description", "")).replace("|", r"\|")
        bounds = _bounds(value)
        meaning = f"{meaning} {bounds}".strip()
        yield f"| `{key}` | {_kind(value, defs)} | {'yes' if key in required else ''} | {default} | {meaning} |\n"


def _bounds(value: Schema) -> str:
    for each in (value, *value.get("anyOf", ())):
        if "$comment" in each:
            _, found, said = str(each["$comment"]).partition(": ")
            return said[:1].upper() + said[1:] if found else ""
        low, high = each.get("minimum"), each.get("maximum")
        said = [f"more than {each['exclusiveMinimum']:,g}"] if "exclusiveMinimum" in each else []
        said += [f"at least {low:,.15g}"] if low is not None else []
        said += [f"at most {high:,.15g}"] if high is not None else []
        if said:
            text = ", ".join(said)
            return text[:1].upper() + text[1:] + "."
    return ""


def _kind(value: Schema, defs: Schema) -> str:
    if "$ref" in value:
        title = _title(_ref(value))
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    if "anyOf" in value:
        return " or ".join(_kind(each, defs) for each in value["anyOf"] if each.get("type") != "null")
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "$comment" in value:
        return "duration"
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}), defs)}"
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        return f"map to {_kind(inner, defs)}" if isinstance(inner, dict) else "map"
    return str(value.get("type", "any"))


def _ref(value: Schema) -> str:
    return str(value["$ref"]).rpartition("/")[2]


def _title(name: str) -> str:
    """Of a part: `RetryModel` is `retry`."""
    return name.removesuffix("Model").lower()


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    PAGE.write_text(page())
