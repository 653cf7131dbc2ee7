"""Writes docs/settings.md from the models of settings: `python -m tests.docs.settings_page`."""

import inspect
from typing import Any

from orchestrator.cli.server import server
from orchestrator.settings import Settings
from orchestrator.tuning import EMBEDDED, ON_SERVERS, REFUSED, WITHOUT_EFFECT
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/settings.md"

HEAD = """# Settings

Read once, at start. A flag beats its variable. A wrong value is refused with its name and what to do. Durations are
`10s`, `500ms`, or a number of seconds. This page is written from [the code](../orchestrator/settings.py); what differs
from the operators' guide is told in [Differences from the guide](operators-guide-differences.md).

| variable | flag of `server` | default | meaning |
|---|---|---|---|
"""

NONE = """
## Settings without effect

The guide names them, and so they are accepted. A server says at start, in a warning, of each that is set why it
changes nothing.

| variable | default | would say | why it changes nothing |
|---|---|---|---|
"""

EMBEDDED_HEAD = """
On the embedded log these change nothing either: {reason}.
{names}.
"""

REFUSED_HEAD = """
## Settings that are refused

| variable | would say | why no server starts with it |
|---|---|---|
"""


def page() -> str:
    flags = inspect.signature(server).parameters
    effective = [name for name in Settings.model_fields if name not in WITHOUT_EFFECT and name not in REFUSED]
    parts = [HEAD]
    for name in effective:
        info = Settings.model_fields[name]
        flag = f"`--{name.replace('_', '-')}`" if name in flags else "-"
        parts.append(f"| {variable(name)} | {flag} | {_default(info.default)} | {info.description} |\n")
    parts.append(NONE)
    for name, reason in WITHOUT_EFFECT.items():
        info = Settings.model_fields[name]
        parts.append(f"| {variable(name)} | {_default(info.default)} | {info.description} | {reason} |\n")
    parts.append(EMBEDDED_HEAD.format(reason=EMBEDDED, names=", ".join(map(variable, ON_SERVERS))))
    parts.append(REFUSED_HEAD)
    for name, reason in REFUSED.items():
        parts.append(f"| {variable(name)} | {Settings.model_fields[name].description} | {reason} |\n")
    return "".join(parts)


def variable(name: str) -> str:
    return f"`{Settings.model_fields[name].validation_alias}`"


def _default(default: Any) -> str:
    if default in (None, ()):
        return "none"
    return f"`{','.join(default) if isinstance(default, tuple) else default}`"


if __name__ == "__main__":
    PAGE.write_text(page())
