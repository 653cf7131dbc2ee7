"""`orchestrator targets test`: one command that says it is a test, through the adapter that servers use."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from orchestrator.cli.confirm import confirmed
from orchestrator.cli.exits import FAILED, NOT_FOUND, OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, note, one_line

if TYPE_CHECKING:
    from adapters.adapter import Adapter
    from adapters.target import Target
    from adapters.work import Outcome, Work

COMMAND: Final = "orchestrator.test"
RULE: Final = "orchestrator targets test"
GRACE: Final = 1.0
"""Seconds that an adapter may overstay its timeout before it is cancelled."""
MOST_STEPS: Final = 20
"""Of an adapter that goes on at once with what it has left."""
T = TypeVar("T")


def send_test(
    name: str,
    /,
    *,
    args: str = "{}",
    key: str = "test",
    targets: Path | None = None,
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Send one command that says it is a test to a target, from here, without a server; nothing is recorded.

    It is shown first, and sent when that was confirmed. Exit status 0 if it was done.

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
    dry_run
        Show what would be sent, without credentials, and send nothing.
    yes
        Do not ask. Without it, and without a terminal to ask at, nothing is sent.
    json
        Print one JSON object.
    """
    from adapters.errors import TargetError
    from orchestrator.wiring import wall_clock

    if dry_run and yes:
        raise CommandFailed("--dry-run and --yes contradict each other: choose one", USAGE)
    body = _body(name, key, args, wall_clock())
    try:
        target = _target(name, targets)
        if not yes:
            request = asyncio.run(_preview(target, body))
            if json:
                json_line({"target": name, "kind": target.kind, "command": body, "request": request})
            else:
                _show(target, request, body)
            if dry_run:
                return OK
            if json or not confirmed(f"send it to {name}?"):
                note("nothing was sent: add --yes")
                return USAGE
        return _send(target, body, json)
    except TargetError as error:
        raise CommandFailed(str(error)) from error


def _target(name: str, file: Path | None) -> Target:
    """Raises CommandFailed, TargetError."""
    from orchestrator.settings import load
    from orchestrator.targets import no_target, read_targets
    from orchestrator.wiring import wall_clock

    settings = load(targets=file)
    here = Path("targets.yaml")
    path = settings.targets or (here if here.exists() else None)
    found = read_targets(path, wall_clock, settings.imports, delivers=lambda each, model: each == name)
    if (target := found.get(name)) is None:
        raise CommandFailed(no_target(name, found), NOT_FOUND)
    if target.open is None:
        raise CommandFailed(f"only workers of your own deliver to `{name}`: there is nothing to send with", USAGE)
    return target


def _body(name: str, key: str, args: str, now: int) -> dict[str, Any]:
    from streams.outputs import Command

    try:
        given = msgspec.json.decode(args, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CommandFailed(f'--args: {error}: write a JSON object, such as \'{{"plate": "GX-700"}}\'', USAGE) from None
    id = secrets.token_hex(16)
    return Command(id, COMMAND, name, RULE, key, now, id, given, "").document()


async def _preview(target: Target, body: dict[str, Any]) -> Any | None:
    """None where the kind does not say it. Raises CommandFailed."""
    from adapters.adapter import preview
    from adapters.template import TemplateError

    try:
        return await _asked(target, lambda adapter: _within(target, preview(adapter, _work(target, body))))
    except TemplateError as error:
        raise CommandFailed(f"`{target.name}` cannot be sent this command: {error}: see --args and --key") from error


def _show(target: Target, request: Any | None, body: dict[str, Any]) -> None:
    if request is None:
        note(f"targets of the kind {target.kind} do not say what they send: this is the command that they are given")
    line(msgspec.json.format(msgspec.json.encode(body if request is None else request)).decode())


def _send(target: Target, body: dict[str, Any], json: bool) -> int:
    """The exit status. Raises CommandFailed, TargetError."""
    began = time.monotonic()
    outcome: Outcome = asyncio.run(_asked(target, lambda adapter: _deliver(target, adapter, _work(target, body))))
    took = outcome.took if outcome.took is not None else time.monotonic() - began
    if json:
        json_line(
            {
                "target": target.name,
                "verdict": str(outcome.verdict),
                "status": outcome.status or None,
                "took": round(took, 6),
                "reason": outcome.reason or None,
                "result": outcome.result,
            }
        )
    else:
        excerpt = outcome.reason or ("" if outcome.result is None else msgspec.json.encode(outcome.result).decode())
        said = f"{target.name}: {outcome.verdict}" + (f", status {outcome.status}" if outcome.status else "")
        line(f"{said}, {took * 1e3:.0f} ms" + (f": {one_line(excerpt, 400)}" if excerpt else ""))
    return OK if outcome.verdict == "done" else FAILED


def _work(target: Target, body: dict[str, Any]) -> Work:
    from adapters.work import Work
    from orchestrator.wiring import wall_clock

    deadline = wall_clock() + int((target.timeout + GRACE) * 1e6)
    return Work(body["id"], 1, target.name, msgspec.json.encode(body), deadline, 0, target.timeout)


async def _deliver(target: Target, adapter: Adapter, work: Work) -> Outcome:
    """Goes on where the adapter would at once."""
    for step in range(1, MOST_STEPS + 1):
        outcome = await _within(target, adapter.deliver(work))
        goes_on = outcome.verdict == "waiting" and not outcome.retry_after and outcome.progress is not None
        if not goes_on or step == MOST_STEPS:
            return outcome
        work = work._replace(progress=msgspec.json.encode(outcome.progress))
    raise AssertionError("the last step is answered")


async def _within(target: Target, call: Awaitable[T]) -> T:
    async with asyncio.timeout(target.timeout + GRACE):
        return await call


async def _asked(target: Target, ask: Callable[[Adapter], Awaitable[T]]) -> T:
    """What the adapter raises is a CommandFailed, but for TemplateError."""
    from adapters.template import TemplateError

    assert target.open is not None
    adapter = target.open()
    try:
        return await ask(adapter)
    except TimeoutError:
        raise CommandFailed(f"`{target.name}` did not keep to its timeout of {target.timeout:g} s") from None
    except TemplateError:
        raise
    except Exception as error:  # whatever an adapter does; its secrets are hidden
        raise CommandFailed(f"the adapter of `{target.name}` failed: {type(error).__name__}: {error}") from error
    finally:
        await adapter.close()
