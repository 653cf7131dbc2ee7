"""A command as a message for Slack's incoming webhooks, which Mattermost, Rocket.Chat and others take too. Pure.

Of an alert the text is what the rule says, of any other command what it is. Escaped as Slack asks for: `&`, `<` and
`>` only. Source: Slack's reference of `text` and of escaping.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

LONGEST: Final = 3_000
"""Characters of a text before it is escaped: Slack cuts messages off far behind it, and nobody reads more."""
MARKS: Final = {"critical": ":rotating_light: ", "warning": ":warning: "}


def message(body: bytes) -> bytes:
    """From a command's JSON to that of the message."""
    command = msgspec.json.decode(body)
    args = command["args"]
    said = args.get("text")
    if isinstance(said, str) and said.strip():
        text = MARKS.get(args.get("severity"), "") + _escaped(said)
    else:
        text = f"*{_escaped(command['command'])}* {_escaped(_plain(args))}"
    place = f"rule `{_code(command['rule'])}`, key `{_code(command['key'])}`, {command['at']}"
    return msgspec.json.encode({"text": f"{text}\n{place}"})


def _escaped(text: str) -> str:
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """Between backticks, which have no escape; on one line."""
    return _escaped(" ".join(text[:200].split())).replace("`", "'")


def _plain(args: dict[str, Any]) -> str:
    return msgspec.json.encode(args).decode()
