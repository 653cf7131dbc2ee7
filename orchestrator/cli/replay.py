"""`orchestrator replay verify|rebuild`: is what is stored what the events make of it; make the query tables again.

Both open the log themselves and work beside a running server.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from orchestrator.cli.exits import FAILED, INTERRUPTED, OK, CommandFailed
from orchestrator.cli.rules import known_modules
from orchestrator.cli.show import json_line, line, note, progress

if TYPE_CHECKING:
    from rules.processor import RulesProcessor
    from streams.log import Log


def verify(
    *,
    log: str | None = None,
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules_old: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    json: bool = False,
) -> int:
    """Replay everything into memory and compare it with what is stored; exit status 1 at the first difference.

    Example: orchestrator replay verify

    Parameters
    ----------
    log
        The log; by default sqlite:///.orchestrator/log.db (ORCHESTRATOR_LOG).
    python_rules
        Files of Python rules, whose code is run, where rule sets of the log need them.
    python_rules_old
        Python rules as they once were, which older rule sets of the log need.
    json
        Print the result as one JSON object.
    """
    from orchestrator.collector import calm
    from replay.verify import verify as run
    from rules.compile import compile_rules
    from rules.diagnostics import RuleErrors
    from rules.load import from_document
    from streams.log import LogError

    modules = known_modules(python_rules, python_rules_old)

    def compiled(body: bytes) -> RulesProcessor:
        return compile_rules(from_document(body, modules))

    calm()
    with closing(open_existing(log)) as opened, progress("verifying") as advance:
        try:
            found = run(opened, compiled, lambda at: advance(at.done, at.total))
        except (LogError, RuleErrors) as error:
            raise CommandFailed(str(error)) from error
    if json:
        json_line(found.document())
    else:
        line(found.text())
    return OK if found.clean else FAILED


def rebuild(
    *,
    log: str | None = None,
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules_old: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    json: bool = False,
) -> int:
    """Make the query tables again from state, partition by partition, while queries answer from the old ones.

    Ctrl-C ends it: partitions that were not done show what they showed.

    Example: orchestrator replay rebuild

    Parameters
    ----------
    log
        The log; by default sqlite:///.orchestrator/log.db (ORCHESTRATOR_LOG).
    python_rules
        Files of Python rules, whose code is run, where rule sets of the log need them.
    python_rules_old
        Python rules as they once were, which older rule sets of the log need.
    json
        Print the result as one JSON object.
    """
    from orchestrator.activation import Processors, active
    from orchestrator.collector import calm
    from orchestrator.server import command_row
    from orchestrator.settings import load
    from orchestrator.wiring import open_tables, query_path, tables
    from projections.store import QueryStoreError
    from replay.rebuild import Progress
    from replay.rebuild import rebuild as run
    from rules.diagnostics import RuleErrors
    from streams.log import LogError

    modules = known_modules(python_rules, python_rules_old)
    done = 0
    with closing(open_existing(log)) as opened:

        def told(at: Progress) -> None:
            nonlocal done
            done = at.partition
            advance(at.rows, at.estimate)

        try:
            digest = active(opened, 0)
            if not digest:
                raise CommandFailed("no rules were ever activated in this log: there is nothing to show")
            shown = tables(Processors(opened, modules)(digest))
            settings = load(log=log)
            path = query_path(settings.log)
            calm()
            with (
                closing(open_tables(settings.log, path, opened.info, shown, note, settings.redis)) as store,
                progress("rebuilding") as advance,
            ):
                found = run(opened, store, command_row, told)
        except (LogError, QueryStoreError, RuleErrors) as error:
            raise CommandFailed(str(error)) from error
        except KeyboardInterrupt:
            raise CommandFailed(
                f"cancelled: {done} of {opened.info.partitions} partitions were made again, the others show what they "
                "showed before; run it again to make all",
                INTERRUPTED,
            ) from None
    if json:
        json_line(found.document())
    else:
        line(found.text())
    return OK


def open_existing(log: str | None) -> Log:
    """An existing log. Raises CommandFailed."""
    import time

    from orchestrator.settings import load
    from streams.backends.open import open_log
    from streams.log import LogError

    settings = load(log=log)
    try:
        return open_log(settings.log, now=lambda: time.time_ns() // 1000, create=False, redis=settings.redis)
    except LogError as error:
        raise CommandFailed(str(error)) from error
