"""Targets files as a JSON Schema, for editors and for the page of all keys. Made from the models of all kinds that are
installed, those of others too.

It knows the form of a file; what goes together is for `targets check`. `targets.json` beside this file is what `schema`
gives where all extras are installed and no kinds of others; a test holds them equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from adapters import kinds
from adapters.errors import TargetError
from adapters.kind import Kind
from adapters.target_file import DURATION
from streams import duration

Schema = dict[str, Any]

PUBLISHED: Final = Path(__file__).with_name("targets.json")
_UNITS: Final = ("w", "d", "h", "m", "s", "ms", "us")
_PATTERN: Final = "^(?=.)" + "".join(f"([0-9]{{1,18}}(\\.[0-9]{{1,6}})?{unit})?" for unit in _UNITS) + "$"
_BOUNDS: Final = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def schema() -> tuple[Schema, dict[str, str]]:
    """Draft 2020-12, and of the kinds that cannot be used as they are installed, why: of those it knows the name."""
    found: dict[str, Kind] = {}
    missing: dict[str, str] = {}
    for name in kinds.names():
        try:
            kind = kinds.find(name)
        except TargetError as error:
            missing[name] = str(error)
        else:
            assert kind is not None, name
            found[name] = kind
    refs, whole = models_json_schema([(kind.model, "validation") for kind in found.values()])
    defs = {name: _tidy(each) for name, each in whole.get("$defs", {}).items()}
    bodies = {name: refs[kind.model, "validation"]["$ref"] for name, kind in found.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Targets of the Business Logic Orchestrator",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "targets": {
                "description": "Name → what it is.",
                "type": ["object", "null"],
                "additionalProperties": {"$ref": "#/$defs/target"},
            }
        },
        "$defs": {
            "target": {
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": {"description": "What the target is.", "enum": [*sorted({*found, *missing})]}},
                "allOf": [
                    {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": {"$ref": body}}
                    for name, body in bodies.items()
                ],
            },
            **defs,
        },
    }, missing


def _tidy(value: Any) -> Any:
    """Without titles that repeat a name; durations as they are written; of a part with defaults of its own, no default
    as a whole."""
    if isinstance(value, list):
        return [_tidy(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("properties"), dict):
        fields = {name: _field(each) for name, each in value["properties"].items()}
        value = {**{key: each for key, each in value.items() if key != "title"}, "properties": fields}
        return value
    tidy = {key: _tidy(each) for key, each in value.items() if key != "title"}
    if tidy.get("format") == DURATION:
        del tidy["format"]
        bounds = [f"{said} {_duration(tidy.pop(key))}" for key, said in _BOUNDS.items() if tidy.get(key)]
        tidy.pop("gt", None)
        said = "A duration such as 500ms, 10s or 1h" + (f": {', '.join(bounds)}." if bounds else ".")
        tidy = {"pattern": _PATTERN, "$comment": said, **tidy}
    return tidy


def _field(field: Schema) -> Schema:
    tidy: Schema = _tidy(field)
    default = tidy.get("default")
    if default is None or (isinstance(default, dict) and default):
        tidy.pop("default", None)
    elif isinstance(default, float) and _is_duration(tidy):
        tidy["default"] = _duration(default)
    return tidy


def _is_duration(tidy: Schema) -> bool:
    return any(each.get("pattern") == _PATTERN for each in (tidy, *tidy.get("anyOf", ())))


def _duration(seconds: float) -> str:
    return duration.format(round(seconds * 1e6))
