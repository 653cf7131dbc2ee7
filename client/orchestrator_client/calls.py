"""Each question as a `Call`, and its answer as a type: what the two clients share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator_client.answers import Page, Published, Row
from orchestrator_client.errors import NotFound, NotOurs
from orchestrator_client.wire import Call, query, segment

BATCH = "application/cloudevents-batch+json"


def publish(events: Sequence[bytes]) -> Call:
    return Call("POST", "/v1/events", body=b"[" + b",".join(events) + b"]", headers={"Content-Type": BATCH})


def published(url: str, document: dict[str, Any]) -> Published:
    positions = document.get("positions")
    if not isinstance(positions, list):
        raise NotOurs(url, "an answer without `positions`")
    return Published(len(positions), positions)


def row(name: str, key: str, min_position: str | None = None, wait: int | None = None) -> Call:
    return _waiting(f"/v1/projections/{segment(name)}/{segment(key)}", [], min_position, wait)


def _waiting(path: str, asked: list[tuple[str, Any]], min_position: str | None, wait: int | None) -> Call:
    headers = {"Prefer": f"wait={wait}"} if wait is not None else {}
    asked = [*asked, ("min_position", min_position or None)]
    return Call("GET", path, query(asked), headers=headers, waits=bool(min_position))


def found_row(url: str, document: dict[str, Any]) -> Row:
    try:
        return Row(document["key"], document["row"], document["as_of"])
    except KeyError as error:
        raise NotOurs(url, f"a row without {error}") from None


def no_row(key: str, problem: NotFound) -> Row:
    """Raises the problem if it is the projection that is not there."""
    if problem.as_of is None:
        raise problem
    return Row(key, None, problem.as_of)


def rows(
    name: str,
    where: Mapping[str, Any] | None,
    sort: str | None,
    limit: int | None,
    cursor: str | None = None,
    min_position: str | None = None,
    wait: int | None = None,
) -> Call:
    asked = [*(where or {}).items(), ("sort", sort), ("limit", limit), ("cursor", cursor)]
    return _waiting(f"/v1/projections/{segment(name)}", asked, min_position, wait)


def page(url: str, document: dict[str, Any]) -> Page:
    try:
        as_of = document["as_of"]
        said = ",".join(as_of) if isinstance(as_of, list) else str(as_of)
        found = [Row(each["key"], each["row"], said) for each in document["rows"]]
        return Page(found, document["next"], said)
    except (KeyError, TypeError):
        raise NotOurs(url, "a page without `rows`, `next` and `as_of`") from None


def commands(filters: Mapping[str, str | None], limit: int | None, cursor: str | None) -> Call:
    return Call("GET", "/v1/commands", query([*filters.items(), ("limit", limit), ("cursor", cursor)]))


def command_page(url: str, document: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    return listed(url, document, "commands"), document.get("next")


def command(id: str) -> Call:
    return Call("GET", f"/v1/commands/{segment(id)}")


def redrive(ids: Sequence[str]) -> Call:
    """Not repeated: of what was done, the second answer is a conflict."""
    body = json.dumps({"ids": list(ids)}).encode()
    return Call("POST", "/v1/commands/redrive", body=body, headers={"Content-Type": "application/json"}, again=False)


PARTITIONS = Call("GET", "/v1/partitions")
PROJECTIONS = Call("GET", "/v1/projections")


def listed(url: str, document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list):
        raise NotOurs(url, f"an answer without `{name}`")
    return found


def follow(filters: Mapping[str, Any]) -> Call:
    """Where it begins goes as Last-Event-ID, as a stream that was cut off says it."""
    return Call("GET", "/v1/events", query(filters.items()))


def events(filters: Mapping[str, Any], limit: int | None, cursor: str | None) -> Call:
    return Call("GET", "/v1/events", query([*filters.items(), ("limit", limit), ("cursor", cursor)]))


def event_page(url: str, document: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    return listed(url, document, "events"), document.get("next")
