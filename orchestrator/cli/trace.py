"""`orchestrator trace ID`: what caused what, as a tree."""

from __future__ import annotations

import sys
from typing import Any, Final, Literal

import orjson
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from orchestrator.cli.client import connect, segment
from orchestrator.cli.exits import OK
from orchestrator.cli.show import count, json_line, note, one_line

LONGEST: Final = 200
"""Characters of data and reasons."""
WIDE: Final = 10_000
"""Columns of what is no terminal: a node is a line."""


def trace(
    id: str,
    /,
    *,
    source: str | None = None,
    what: Literal["event", "command", "key"] | None = None,
    data: bool = False,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Show what caused what: where it began, and all that followed.

    Example: orchestrator trace order-17

    Parameters
    ----------
    id
        The id of an event or of a command, a position, or a key; whichever there is, in the order command, event, key.
    source
        Of the event, where several have this id.
    what
        What the id is of: event, command or key.
    data
        Show data of events and arguments of commands, too.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("GET", f"/v1/trace/{segment(id)}", query={"source": source, "what": what})
    if json:
        json_line(found)
        return OK
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDE)
    for root in found["roots"]:
        tree = Tree(_label(root, data))
        _grow(tree, root, data)
        console.print(tree)
    if not found["complete"]:
        note(f"more may be there: the newest {count(found['looked'], 'event')} were looked at")
    return OK


def _grow(tree: Tree, node: dict[str, Any], data: bool) -> None:
    at_once = node["state"] == "done" and len(node["history"]) == 1
    for attempt in [] if at_once else node["history"]:
        tree.add(_attempt(attempt))
    for each in node["then"]:
        _grow(tree.add(_label(each, data)), each, data)


def _attempt(attempt: dict[str, Any]) -> Text:
    """One line: which, when, how long, what came of it."""
    said = f"attempt {attempt['number']}, {attempt['at']}, {attempt['seconds']:.3g} s: {attempt['outcome']}"
    if attempt["status"]:
        said += f" {one_line(attempt['status'])}"
    reason = (f" ({one_line(attempt['reason'], LONGEST)})", "yellow") if attempt["reason"] else ""
    return Text.assemble(said, reason)


def _label(node: dict[str, Any], data: bool) -> Text:
    """One line: what it is, its name, id and key, then what is known of it."""
    parts: list[str | tuple[str, str]] = [
        f"{node['kind']} ",
        (one_line(node["what"]), "bold"),
        f" {one_line(node['id'])} of {one_line(node['key'])}",
    ]
    if node["kind"] == "command":
        parts.append(f", rule {node['rule']}, to {node['to']}: ")
        parts.append((node["state"], "bold red" if node["state"] in ("parked", "expired") else "green"))
        if node["attempts"]:
            parts.append(f" after {count(node['attempts'], 'attempt')}")
    elif node["rule"]:
        parts.append(f", by rule {node['rule']}")
    elif node["source"] not in (None, "orchestrator"):
        parts.append(f", from {one_line(node['source'])}")
    if node["at"]:
        parts.append(f", {node['at']}")
    if node["position"]:
        parts.append(f", at {node['position']}")
    if node["reason"]:
        parts.append((f" ({one_line(node['reason'], LONGEST)})", "yellow"))
    if data:
        parts.append((f" {one_line(orjson.dumps(node['data']).decode(), LONGEST)}", "dim"))
    if node["note"]:
        parts.append((f" [{node['note']}]", "italic"))
    if node["asked"]:
        parts.append(("  ◀", "bold"))
    return Text.assemble(*parts)
