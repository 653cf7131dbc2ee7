"""`orchestrator version`."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed

from orchestrator.cli.show import json_line, line


def version(*, json: bool = False) -> None:
    """Print the versions of the orchestrator and of Python.

    Example: orchestrator version

    Parameters
    ----------
    json
        Print them as one JSON object.
    """
    ours = installed("business-logic-orchestrator")
    if json:
        json_line({"orchestrator": ours, "python": platform.python_version()})
    else:
        line(f"orchestrator {ours} on Python {platform.python_version()}")
