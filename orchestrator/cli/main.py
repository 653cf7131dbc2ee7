"""The entry: finds the command, runs it, and turns how it ended into an exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from cyclopts import App, CycloptsError, Parameter

from orchestrator.cli.exits import FAILED, INTERRUPTED, OK, USAGE, CommandFailed
from orchestrator.cli.show import note

GROUPS: Final = {
    "rules": "Look at rule files.",
    "events": "Send events, look at what is in the log, follow what comes.",
    "projections": "Look at projections and their rows, and watch them.",
    "commands": "Look at commands, send parked ones again, cancel them, let them expire.",
    "targets": "Look at where commands go, pause a target and resume it.",
    "delivery": "Look whether commands are sent at all, and after a restore say that they may be.",
    "parked": "Look at events that could not be evaluated, and free the keys that are blocked behind them.",
    "partitions": "Look at partitions.",
    "workers": "Look at workers that take commands over HTTP.",
    "replay": "Read the log again.",
}
COMMANDS: Final = {
    "dev": "server:dev",
    "rules check": "rules_check:check",
    "rules test": "rule_tests:run_rule_tests",
    "rules explain": "explain:explain",
    "rules eval": "evaluate:evaluate",
    "rules diff": "rules_diff:diff",
    "rules fmt": "form:put_into_form",
    "rules schema": "rule_schema:print_schema",
    "simulate": "simulate:simulate",
    "events publish": "events:publish",
    "events import": "import_events:import_events",
    "events list": "recorded:list_events",
    "events tail": "recorded:tail",
    "projections list": "projections:list_projections",
    "projections get": "projections:get",
    "projections watch": "projections:watch",
    "commands list": "commands:list_commands",
    "commands show": "commands:show",
    "commands redrive": "redrive:redrive",
    "commands cancel": "cancel:cancel",
    "commands expire": "expire:expire",
    "targets check": "targets_check:check",
    "targets schema": "target_schema:print_schema",
    "targets list": "targets:list_targets",
    "targets show": "targets:show",
    "targets test": "targets_test:send_test",
    "targets pause": "targets:pause",
    "targets resume": "targets:resume",
    "delivery status": "delivery:status",
    "delivery arm": "delivery:arm",
    "parked list": "parked:list_parked",
    "parked show": "parked:show",
    "parked unpark": "parked:unpark",
    "parked skip": "parked:skip",
    "partitions list": "partitions:list_partitions",
    "workers list": "workers:list_workers",
    "trace": "trace:trace",
    "replay verify": "replay:verify",
    "replay rebuild": "replay:rebuild",
    "doctor": "doctor:doctor",
    "server": "server:server",
    "worker": "worker:worker",
    "version": "version:version",
}
"""Name → module of this package and function, in the order in which help shows them."""


def build(*, eager: bool = False) -> App:
    """Commands are loaded when called. Help shows what their functions say of themselves, and needs all: `eager`."""
    app = App(
        name="orchestrator",
        help="Events in, decisions out, and the proof of why.",
        version_flags=[],
        default_parameter=Parameter(negative=(), show_default=_worth_showing),
    )
    app.register_install_completion_command(add_to_startup=False)
    app["--install-completion"].help = "Install completion for this shell (bash, zsh, fish)."
    groups: dict[str, App] = {}
    for place, (name, target) in enumerate(COMMANDS.items()):
        group, _, verb = name.rpartition(" ")
        if group and group not in groups:
            groups[group] = App(name=group, help=GROUPS[group], sort_key=place)
            app.command(groups[group])
        module, _, function = target.partition(":")
        where = f"{__package__}.{module}"
        command = getattr(import_module(where), function) if eager else f"{where}:{function}"
        groups.get(group, app).command(command, name=verb, sort_key=place)
    return app


def _worth_showing(default: object) -> str | None:
    return str(default) if default not in (None, False, ()) else None


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status. Usage errors are printed by cyclopts."""
    from orchestrator.settings import SettingsError

    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        # a group alone shows its help
        eager = not given or given[-1] in ("--help", "-h", *GROUPS)
        status = build(eager=eager)(given, exit_on_error=False, print_error=True, result_action="return_value")
        return status if isinstance(status, int) else OK
    except CycloptsError:
        return USAGE
    except SettingsError as error:
        note(f"orchestrator: {error}")
        return USAGE
    except CommandFailed as error:
        note(f"orchestrator: {error}")
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF) or error.filename is not None:
            raise
        return _stdout_gone(error)


def _stdout_gone(error: OSError) -> int:
    """Results cannot be written. If the reader went away, as `head` does, nothing more is said; nothing is flushed at
    exit either, where it would fail again."""
    if error.errno != errno.EPIPE:
        note(f"orchestrator: results cannot be written: {error.strerror}")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return FAILED
