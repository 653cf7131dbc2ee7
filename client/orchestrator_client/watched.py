"""What a watch has shown so far. The server tells the whole again after each connection: only what is new is news."""

from __future__ import annotations

import json
from typing import Any

from orchestrator_client.answers import Followed, Row, Watched
from orchestrator_client.errors import NotOurs
from orchestrator_client.sse import Message


def followed(url: str, message: Message) -> Followed:
    event = _object(url, message)
    return Followed(str(event.pop("position", "")), event, message.id)


class WatchedRow:
    def __init__(self, url: str) -> None:
        self._url = url
        self._shown: list[Any] = []

    def news(self, message: Message) -> Row | None:
        found = _object(self._url, message)
        if "key" not in found or "row" not in found:
            raise NotOurs(self._url, "a change without `key` and `row`")
        if self._shown == [found["row"]]:
            return None
        self._shown = [found["row"]]
        return Row(found["key"], found["row"], message.id)


class WatchedRows:
    def __init__(self, url: str) -> None:
        self._url = url
        self._shown: dict[str, Any] | None = None

    def news(self, message: Message) -> Watched | None:
        found = _object(self._url, message)
        before = self._shown or {}
        try:
            now = self._whole(found) if message.event == "rows" else self._changed(before, found)
        except (KeyError, TypeError):
            raise NotOurs(self._url, f"a change of a list that says not what: {message.data[:80]!r}") from None
        if self._shown is not None and list(before.items()) == list(now.items()):
            return None
        self._shown = now
        rows = [Row(key, fields, message.id) for key, fields in now.items()]
        put = [row for row in rows if row.key not in before or before[row.key] != row.fields]
        return Watched(rows, put, [key for key in before if key not in now], message.id)

    def _whole(self, found: dict[str, Any]) -> dict[str, Any]:
        return {each["key"]: each["row"] for each in found["rows"]}

    def _changed(self, before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        now = {**before, **{each["key"]: each["row"] for each in found["put"]}}
        return {key: now[key] for key in found["keys"]}


def _object(url: str, message: Message) -> dict[str, Any]:
    try:
        found = json.loads(message.data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotOurs(url, f"a message that is no object: {message.data[:80]!r}")
    return found
