"""A route and what is promised of it: the OpenAPI document (`openapi.py`) is made from these records.

Handlers validate with the models that stand here (`asked.py`). Models of answers describe; the tests hold answers to
them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from aiohttp import web
from pydantic import BaseModel, ConfigDict

JSON: Final = "application/json"
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Asked(BaseModel):
    """What a request says: parameters of its query, or its JSON body. Nothing else is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Shown(BaseModel):
    """What an answer holds. Later versions may add fields."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """In the path or a header. `pattern` is a regular expression for the whole of it."""

    name: str
    where: Literal["path", "header"]
    description: str
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A body, by media type: the model of each, or a JSON Schema."""

    media: Mapping[str, type[BaseModel] | Mapping[str, Any]]
    description: str


def json(model: type[BaseModel], description: str = "as asked") -> Content:
    return Content({JSON: model}, description)


@dataclass(frozen=True, slots=True)
class Route:
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """As aiohttp takes it, patterns included."""
    handler: Handler
    summary: str
    answers: Mapping[int, Content]
    """By status, those that are no problem."""
    query: type[Asked] | None = None
    body: Content | None = None
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    """Statuses beside those that every route may answer with."""
