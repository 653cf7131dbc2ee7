"""The entry: finds the command, runs it, and turns how it ended into an exit status."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.show import note


def build() -> App:
    """Commands are named by the place of their function and loaded when called; help is given here where a list shows
    it, so that listing loads none."""
    app = App(name="orchestrator", help="Events in, decisions out, and the proof of why.", version_flags=[])
    app.command(
        "orchestrator.cli.version:version", name="version", help="Print the versions of the orchestrator and of Python."
    )
    app.command("orchestrator.cli.server:server", name="server", help="Run a server.")
    app.command("orchestrator.cli.server:dev", name="dev", help="Run everything in one process on this machine.")
    rules = App(name="rules", help="Look at rule files.")
    rules.command("orchestrator.cli.rules:check", name="check")
    rules.command("orchestrator.cli.rules:run_rule_tests", name="test")
    app.command(rules)
    app.command(
        "orchestrator.cli.simulate:simulate",
        name="simulate",
        help="Run rules over a file of events and deliver nothing.",
    )
    events = App(name="events", help="Send events.")
    events.command("orchestrator.cli.events:publish", name="publish")
    events.command("orchestrator.cli.import_events:import_events", name="import")
    app.command(events)
    projections = App(name="projections", help="Look at projections.")
    projections.command("orchestrator.cli.projections:get", name="get")
    app.command(projections)
    commands = App(name="commands", help="Look at commands, and send parked ones again.")
    commands.command("orchestrator.cli.commands:list_commands", name="list")
    commands.command("orchestrator.cli.commands:show", name="show")
    commands.command("orchestrator.cli.commands:redrive", name="redrive")
    app.command(commands)
    partitions = App(name="partitions", help="Look at partitions.")
    partitions.command("orchestrator.cli.partitions:list_partitions", name="list")
    app.command(partitions)
    keys = App(name="keys", help="Look at keys that are blocked behind a parked event, and free them.")
    keys.command("orchestrator.cli.keys:blocked", name="blocked")
    keys.command("orchestrator.cli.keys:unpark", name="unpark")
    keys.command("orchestrator.cli.keys:skip", name="skip")
    app.command(keys)
    replay = App(name="replay", help="Read the log again.")
    replay.command("orchestrator.cli.replay:verify", name="verify")
    replay.command("orchestrator.cli.replay:rebuild", name="rebuild")
    app.command(replay)
    return app


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status. Usage errors are printed by cyclopts."""
    from orchestrator.settings import SettingsError

    try:
        status = build()(arguments, exit_on_error=False, print_error=True, result_action="return_value")
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
        return 130
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
