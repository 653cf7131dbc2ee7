"""The OpenAPI 3.1 document of the API, made from the records of its routes (`route.py`) and their models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from orchestrator.api.models.common import Refusal
from orchestrator.api.route import Asked, Content, Parameter, Route

_TEMPLATE: Final = "#/components/schemas/{model}"
_REFUSAL: Final = {
    "description": "What is wrong, and what to do",
    "content": {"application/problem+json": {"schema": {"$ref": _TEMPLATE.format(model="Problem")}}},
}
_Schemas = Mapping[type[BaseModel], Mapping[str, Any]]


class _Schema(GenerateJsonSchema):
    """Without the title of every field, which says its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def openapi(routes: Sequence[Route], version: str) -> dict[str, Any]:
    models = sorted({model for route in routes for model in _models(route)} | {Refusal}, key=lambda each: each.__name__)
    given: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in models]
    found, components = models_json_schema(given, ref_template=_TEMPLATE, schema_generator=_Schema)
    schemas = {model: found[model, "validation"] for model in models}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(re.sub(r":[^}]*", "", route.path), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Business Logic Orchestrator",
            "version": version,
            "description": "Events in, decisions and current state out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components["$defs"]},
    }


def _models(route: Route) -> list[type[BaseModel]]:
    """All that it names itself, but for the query, which is written out as parameters."""
    contents = [*route.answers.values(), *([route.body] if route.body is not None else [])]
    return [each for content in contents for each in content.media.values() if isinstance(each, type)]


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": _name(route),
        "tags": [_tag(route)],
        "summary": route.summary,
        "parameters": [_parameter(each) for each in route.parameters] + _query(route.query),
        "responses": {str(status): _content(each, schemas) for status, each in route.answers.items()}
        | {str(status): _REFUSAL for status in sorted({*route.problems, 400})}
        | {"default": _REFUSAL},
    }
    if route.body is not None:
        made["requestBody"] = {"required": True, **_content(route.body, schemas)}
    return made


def _content(content: Content, schemas: _Schemas) -> dict[str, Any]:
    return {
        "description": content.description,
        "content": {
            media: {"schema": schemas[each] if isinstance(each, type) else each}
            for media, each in content.media.items()
        },
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = {"type": "string"} | ({"pattern": parameter.pattern} if parameter.pattern is not None else {})
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": True,
        "description": parameter.description,
        "schema": schema,
    }


def _query(model: type[Asked] | None) -> list[dict[str, Any]]:
    """A field of the model each. What may be left out is never sent as null."""
    if model is None:
        return []
    schema = model.model_json_schema(schema_generator=_Schema)
    kinds = schema.get("$defs", {})
    others = {
        "name": "filters",
        "in": "query",
        "description": model.__doc__,
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": each.get("description", ""),
            "schema": _sent(each, kinds),
        }
        for name, each in schema["properties"].items()
    ] + ([others] if model.model_config.get("extra") == "allow" else [])


def _sent(field: dict[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter: no null among what it may be, and kinds of values written out."""
    choices: list[dict[str, Any]] = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    chosen: dict[str, Any] = choices[0] if len(choices) == 1 else {"anyOf": choices}
    if "$ref" in chosen:
        chosen = kinds[chosen["$ref"].rpartition("/")[2]]
    default = {"default": field["default"]} if field.get("default") is not None else {}
    return {name: value for name, value in chosen.items() if name not in ("description", "title")} | default


def _name(route: Route) -> str:
    """Unique: the handler's name may be another's, too."""
    words = [word for word in re.split(r"[^A-Za-z]+", re.sub(r"\{(\w+)[^}]*\}", r"by-\1", route.path)) if word]
    return "_".join([route.method.lower(), *(word for word in words if word != "v")])


def _tag(route: Route) -> str:
    parts = route.path.strip("/").split("/")
    return parts[1] if parts[0] == "v1" else "server"
