"""`orchestrator targets schema`: targets files as a JSON Schema."""

from __future__ import annotations

import orjson

from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line, note


def print_schema(*, json: bool = False) -> int:
    """Print the JSON Schema of targets files, for editors; with the kinds that are installed.

    Example: orchestrator targets schema

    Parameters
    ----------
    json
        Print it on one line.
    """
    from adapters.json_schema import schema

    made, missing = schema()
    for why in missing.values():
        note(f"without the keys of a kind: {why}")
    if json:
        json_line(made)
    else:
        line(orjson.dumps(made, option=orjson.OPT_INDENT_2).decode())
    return OK
