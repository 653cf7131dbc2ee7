"""What a request asks, validated by the models of its route: the query, and bodies that are JSON objects."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from aiohttp import web
from pydantic import ValidationError

from orchestrator.api.body import read_body
from orchestrator.api.context import CONTEXT
from orchestrator.api.problem import Problem, printable
from orchestrator.api.route import Asked
from orchestrator.refusals import remedy
from streams import rfc3339

A = TypeVar("A", bound=Asked)


def question(request: web.Request, model: type[A]) -> A:
    """The query; a model with `extra="allow"` takes other parameters, too. Raises Problem 400 that names the
    parameter."""
    names = model.model_fields
    open = model.model_config.get("extra") == "allow"
    for name in request.query:
        if name not in names and not open:
            raise Problem(400, f"there is no parameter `{name[:40]}`: {_use(list(names))}", field=name)
        if len(request.query.getall(name)) > 1:
            raise Problem(400, f"`{name}` comes more than once: send it once", field=name)
    return _made(model, dict(request.query))


def micros(field: str, text: str | None) -> int | None:
    """A moment in RFC 3339 as microseconds since 1970. Raises Problem 400 that names the parameter."""
    try:
        return rfc3339.parse(text) if text is not None else None
    except ValueError as error:
        raise Problem(400, f"`{field}` is refused: {error}; send RFC 3339", field=field) from None


async def document(request: web.Request, model: type[A]) -> A:
    """The body, a JSON object; an empty body is an empty object. Raises Problem: 400, and what reading raises."""
    body = await read_body(request, request.app[CONTEXT].body_bytes)
    if not body.strip():
        return _made(model, {})
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is no JSON ({error}): send a JSON object") from None
    if not isinstance(found, dict):
        raise Problem(400, "the body must be a JSON object")
    names = model.model_fields
    for name in found:
        if name not in names:
            raise Problem(400, f"there is no field `{name[:40]}`: {_use(list(names))}", field=name)
    return _made(model, found, strict=True)


def _made(model: type[A], found: dict[str, Any], strict: bool = False) -> A:
    try:
        return model.model_validate(found, strict=strict)
    except ValidationError as refused:
        error: dict[str, Any] = dict(refused.errors(include_url=False)[0])
        name = str(error["loc"][0]) if error["loc"] else ""
        if error["type"] == "missing":
            if len(error["loc"]) > 1:
                raise Problem(400, f"`{'.'.join(map(str, error['loc']))}` is missing", field=name) from None
            raise Problem(400, f"`{name}` is missing: {_meaning(model, name)}", field=name) from None
        shown = f"`{_short(error['input'])}` " if len(error["loc"]) <= 1 else ""
        raise Problem(400, f"{name}: {shown}is not possible: {remedy(error)}", field=name) from None


def _meaning(model: type[Asked], name: str) -> str:
    return model.model_fields[name].description or "it is needed"


def _short(value: Any) -> str:
    text = str(printable(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _use(names: list[str]) -> str:
    return f"use {', '.join(names)}" if names else "none is taken here"
