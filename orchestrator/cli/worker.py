"""`orchestrator worker`: delivers commands that servers leave to workers, until told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line


def worker(
    *,
    target: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    framework: str | None = None,
    targets: Path | None = None,
    url: str | None = None,
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
    json: bool = False,
) -> int:
    """Run a worker: it takes commands of targets with `deliver: workers` from servers, and delivers them.

    It ends on SIGTERM or Ctrl-C, after what it is sending.

    Example: orchestrator worker --framework webhook --targets targets.yaml --url http://127.0.0.1:8000

    Parameters
    ----------
    target
        Only to these targets; else to all of the framework.
    framework
        The kind of the targets: webhook, langchain or temporal (FRAMEWORK).
    targets
        The file that says where commands go: the servers' own. Only the targets of this worker need their secrets.
    url
        Where the servers are; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    host
        Address of the probes and metrics.
    port
        Port of /health and /ready; 0 picks a free one.
    metrics_port
        Port of the metrics; 0 picks a free one.
    json
        Print the ready line as one JSON object.
    """
    import asyncio

    from adapters.errors import TargetError
    from orchestrator.collector import calm
    from orchestrator.log_level import ignore_signals
    from orchestrator.logs import configure
    from orchestrator.settings import load
    from orchestrator.targets import check_connections
    from orchestrator.wiring import wall_clock
    from orchestrator.worker.chosen import choose
    from orchestrator.worker.pod import Pod

    settings = load(
        framework=framework,
        targets=targets,
        url=url,
        host=host,
        port=port,
        metrics_port=metrics_port,
        workers=1,  # of a server, whose variables a worker may have, too
    )
    if settings.framework is None and not target:
        raise CommandFailed("no targets: name them with --target, or their kind with --framework or FRAMEWORK", USAGE)
    if settings.targets is None:
        raise CommandFailed("no targets file: name it with --targets or ORCHESTRATOR_TARGETS", USAGE)
    ignore_signals()
    configure(settings.log_level)

    def ready(addresses: dict[str, str]) -> None:
        if json:
            json_line(addresses)
        else:
            line("ready: " + ", ".join(f"{name} {address}" for name, address in addresses.items()))

    async def run() -> None:
        pod = Pod(settings, chosen, wall_clock)
        calm()
        await pod.serve(ready)

    try:
        chosen = choose(settings.targets, wall_clock, settings.imports, settings.framework, target)
        check_connections(chosen, settings.pool_max)
        asyncio.run(run())
    except (TargetError, OSError) as error:
        raise CommandFailed(str(error)) from error
    return OK
