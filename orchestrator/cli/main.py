"""The entry: finds the command, runs it, and turns how it ended into an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError

from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.show import note


def build() -> App:
    """Commands are named by the place of their function and loaded when called."""
    app = App(name="orchestrator", help="Events in, decisions out, and the proof of why.", version_flags=[])
    app.command("orchestrator.cli.version:version", name="version")
    app.command("orchestrator.cli.server:server", name="server")
    app.command("orchestrator.cli.server:dev", name="dev")
    rules = App(name="rules", help="Look at rule files.")
    rules.command("orchestrator.cli.rules:check", name="check")
    rules.command("orchestrator.cli.rules:run_rule_tests", name="test")
    app.command(rules)
    app.command("orchestrator.cli.simulate:simulate", name="simulate")
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
    except BrokenPipeError:
        # The reader went away, as `head` does: nothing more to say, also not while Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def main() -> NoReturn:
    sys.exit(run())
