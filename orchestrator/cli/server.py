"""`orchestrator server`: the log, its agent and the HTTP API, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.rules import load_rules
from orchestrator.cli.show import json_line, line


def server(
    *,
    log: str | None = None,
    rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    host: str | None = None,
    port: int | None = None,
    partitions: int | None = None,
    json: bool = False,
) -> int:
    """Run a server. It ends on SIGTERM or Ctrl-C, after the batch at hand.

    Example: orchestrator server --rules rules/ --log sqlite:///.orchestrator/log.db

    Parameters
    ----------
    log
        Where events are kept: sqlite:///path/to/log.db (the default is .orchestrator/log.db) or memory://.
    rules
        Rule files or folders. What is not active yet is activated.
    host
        Address of the HTTP API.
    port
        Port of the HTTP API; 0 picks a free one.
    partitions
        Partitions of a new log.
    json
        Print the ready line as one JSON object.
    """
    import asyncio

    from orchestrator.server import Server
    from orchestrator.settings import load
    from projections.stores.sqlite import QueryStoreError
    from streams.log import LogError

    settings = load(log=log, rules=rules or None, host=host, port=port, partitions=partitions)
    if not settings.rules:
        raise CommandFailed("no rules: name files or folders with --rules or ORCHESTRATOR_RULES", USAGE)
    ruleset = load_rules(settings.rules)

    def ready(addresses: dict[str, str]) -> None:
        if json:
            json_line(addresses)
        else:
            line("ready: " + ", ".join(f"{name} {address}" for name, address in addresses.items()))

    async def run() -> None:
        await Server(settings, ruleset, {}).serve(ready)

    try:
        asyncio.run(run())
    except (LogError, QueryStoreError, OSError) as error:
        raise CommandFailed(str(error)) from error
    return OK
