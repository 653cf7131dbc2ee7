"""`orchestrator rules schema`: the rule language as a JSON Schema."""

from __future__ import annotations

import orjson

from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line


def print_schema(*, json: bool = False) -> int:
    """Print the JSON Schema of rule files, for editors.

    Example: orchestrator rules schema

    Parameters
    ----------
    json
        Print it on one line.
    """
    from rules.json_schema import schema

    if json:
        json_line(schema())
    else:
        line(orjson.dumps(schema(), option=orjson.OPT_INDENT_2).decode())
    return OK
