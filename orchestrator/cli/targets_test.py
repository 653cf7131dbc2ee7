"""`orchestrator targets test`: one command that says it is a test, through the adapter that servers use."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from orchestrator.cli.exits import FAILED, NOT_FOUND, OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, one_line

if TYPE_CHECKING:
    from adapters.target import Target
    from adapters.work import Outcome, Work

COMMAND: Final = "orchestrator.test"
RULE: Final = "orchestrator targets test"
GRACE: Final = 1.0
"""Seconds that an adapter may overstay its timeout before it is cancelled."""


def send_test(
    name: str, /, *, args: str = "{}", key: str = "test", targets: Path | None = None, json: bool = False
) -> int:
    """Send one command that says it is a test to a target, from here, without a server; nothing is recorded.

    Example: orchestrator targets test police --args '{"plate": "GX-700"}'

    Parameters
    ----------
    name
        The target, as the targets file says it.
    args
        The command's args, a JSON object.
    key
        The command's key.
    targets
        The targets file; by default that of the settings, or ./targets.yaml.
    json
        Print one JSON object.
    """
    from adapters.errors import TargetError
    from orchestrator.settings import load
    from orchestrator.targets import read_targets
    from orchestrator.wiring import wall_clock

    settings = load(targets=targets)
    here = Path("targets.yaml")
    file = settings.targets or (here if here.exists() else None)
    body = _body(name, key, args, wall_clock())
    try:
        found = read_targets(file, wall_clock, settings.imports, delivers=lambda each, model: each == name)
        if (target := found.get(name)) is None:
            raise CommandFailed(f"there is no target `{name}`, only {', '.join(sorted(found))}", NOT_FOUND)
        if target.open is None:
            raise CommandFailed(f"only workers of your own deliver to `{name}`: there is nothing to send with", USAGE)
        began = time.monotonic()
        outcome = asyncio.run(_deliver(target, body, wall_clock()))
    except TargetError as error:
        raise CommandFailed(str(error)) from error
    took = outcome.took if outcome.took is not None else time.monotonic() - began
    shown = {
        "target": name,
        "verdict": str(outcome.verdict),
        "status": outcome.status or None,
        "took": round(took, 6),
        "reason": outcome.reason or None,
        "result": outcome.result,
    }
    if json:
        json_line(shown)
    else:
        excerpt = outcome.reason or ("" if outcome.result is None else msgspec.json.encode(outcome.result).decode())
        said = f"{name}: {outcome.verdict}" + (f", status {outcome.status}" if outcome.status else "")
        line(f"{said}, {took * 1e3:.0f} ms" + (f": {one_line(excerpt, 400)}" if excerpt else ""))
    return OK if outcome.verdict in ("done", "waiting") else FAILED


def _body(name: str, key: str, args: str, now: int) -> dict[str, Any]:
    from streams.outputs import Command

    try:
        given = msgspec.json.decode(args, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CommandFailed(f'--args: {error}: write a JSON object, such as \'{{"plate": "GX-700"}}\'', USAGE) from None
    id = secrets.token_hex(16)
    return Command(id, COMMAND, name, RULE, key, now, id, given, "").document()


async def _deliver(target: Target, body: dict[str, Any], now: int) -> Outcome:
    """Bounded. What the adapter raises is a CommandFailed."""
    from adapters.work import Work

    assert target.open is not None
    longest = target.timeout + GRACE
    work: Work = Work(
        body["id"], 1, target.name, msgspec.json.encode(body), now + int(longest * 1e6), 0, target.timeout
    )
    adapter = target.open()
    try:
        async with asyncio.timeout(longest):
            return await adapter.deliver(work)
    except TimeoutError:
        raise CommandFailed(f"`{target.name}` did not keep to its timeout of {target.timeout:g} s") from None
    except Exception as error:  # whatever an adapter does; its secrets are hidden
        raise CommandFailed(f"the adapter of `{target.name}` failed: {type(error).__name__}: {error}") from error
    finally:
        await adapter.close()
