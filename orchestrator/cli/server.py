"""`orchestrator server` and `orchestrator dev`: the log, its agent, delivery and the HTTP API, until told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.rules import load_rules, rule_paths
from orchestrator.cli.show import json_line, line, note

if TYPE_CHECKING:
    from orchestrator.settings import Settings

FILES: Final = 65_536
"""Open files that a server asks the system for."""


def server(
    *,
    log: str | None = None,
    rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules_old: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    targets: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
    partitions: int | None = None,
    lease: str | None = None,
    workers: int | None = None,
    roles: str | None = None,
    json: bool = False,
) -> int:
    """Run a server. It ends on SIGTERM or Ctrl-C, after the batch at hand.

    Example: orchestrator server --rules rules/ --log redis://127.0.0.1:6379 --workers 2

    Parameters
    ----------
    log
        Where events are kept: sqlite:///path/to/log.db (the default is .orchestrator/log.db), redis://host:6379
        (REDIS_URL) or memory://.
    rules
        Rule files or folders. What is not active yet is activated.
    python_rules
        Files of Python rules, whose code is run.
    python_rules_old
        Python rules as they once were, which older rule sets of the log need.
    targets
        The file that says where commands go.
    host
        Address of the HTTP API.
    port
        Port of the HTTP API; 0 picks a free one.
    metrics_port
        Port of the metrics; 0 picks a free one.
    partitions
        Partitions of a new log.
    lease
        How long a partition stays owned without a sign of life, such as 10s.
    workers
        How many processes, where the log is not embedded (WORKERS).
    roles
        What this server does: api, agent and delivery, separated by commas; by default all.
    json
        Print the ready line as one JSON object.
    """
    from orchestrator.settings import load

    settings = load(
        log=log,
        rules=rules or None,
        python_rules=python_rules or None,
        python_rules_old=python_rules_old or None,
        targets=targets,
        host=host,
        port=port,
        metrics_port=metrics_port,
        partitions=partitions,
        lease=lease,
        workers=workers,
        roles=roles,
    )
    if not settings.rules:
        raise CommandFailed("no rules: name files or folders with --rules or ORCHESTRATOR_RULES", USAGE)
    return _serve(settings, json)


def dev(
    *,
    rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules_old: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    targets: Path | None = None,
    log: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
    json: bool = False,
) -> int:
    """Run everything in one process on this machine: the log lies in ./.orchestrator, the addresses are printed.

    Example: orchestrator dev --rules rules.yaml --targets targets.yaml

    Parameters
    ----------
    rules
        Rule files or folders; by default ./rules.yaml or ./rules, and ./targets.yaml with it.
    python_rules
        Files of Python rules, whose code is run.
    python_rules_old
        Python rules as they once were, which older rule sets of the log need.
    targets
        The file that says where commands go.
    log
        Where events are kept; by default sqlite:///.orchestrator/log.db.
    port
        Port of the HTTP API; 0 picks a free one.
    metrics_port
        Port of the metrics; 0 picks a free one.
    json
        Print the ready line as one JSON object.
    """
    from orchestrator.settings import load

    python = {"python_rules": python_rules or None, "python_rules_old": python_rules_old or None}
    settings = load(log=log, rules=rules or None, targets=targets, port=port, metrics_port=metrics_port, **python)
    if not settings.rules:
        beside = Path("targets.yaml")
        settings = load(
            log=log,
            rules=rule_paths((), ()),
            targets=settings.targets or (beside if beside.exists() else None),
            port=port,
            metrics_port=metrics_port,
            **python,
        )
    return _serve(settings, json)


def _allow_files() -> None:
    """As many open files as this process may have: every connection is one, and the usual limit is for a shell."""
    import resource

    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _serve(settings: Settings, json: bool) -> int:
    import asyncio

    import structlog

    from adapters.errors import TargetError
    from orchestrator.log_level import LogLevels, ignore_signals
    from orchestrator.logs import configure
    from orchestrator.parent import Parent
    from orchestrator.rule_files import RuleFilesError
    from orchestrator.settings import SettingsError
    from orchestrator.supervisor import WorkersFailed, supervise
    from orchestrator.targets import check_connections, check_rules, read_targets
    from orchestrator.tuning import notices, refusals
    from orchestrator.wiring import wall_clock
    from projections.store import QueryStoreError
    from rules.diagnostics import RuleErrors
    from rules.python.needed import ModulesMissing
    from streams.log import LogError

    if refused := refusals(settings):
        raise SettingsError("\n".join(refused))
    ignore_signals()
    _allow_files()
    configure(settings.log_level, settings.worker)
    parent = Parent()
    if settings.worker is not None:
        parent.watch()  # the parent has said what is to be noticed of settings
    else:
        for text in notices(settings, settings.embedded):
            structlog.get_logger().warning("settings", text=text)
    ruleset = load_rules(settings.rules, settings.python_rules)

    def ready(addresses: dict[str, str]) -> None:
        if json:
            json_line(addresses)
        else:
            line("ready: " + ", ".join(f"{name} {address}" for name, address in addresses.items()))

    async def run() -> None:
        if settings.workers > 1:
            await supervise(settings, ready, LogLevels(settings.log_level))
            return
        levels = LogLevels(settings.log_level, parent.ask if settings.worker is not None else None)
        loop = asyncio.get_running_loop()
        parent.heed(lambda level, until: loop.call_soon_threadsafe(levels.choose, level, until))
        from orchestrator.collector import calm
        from orchestrator.server import Server

        server = Server(settings, ruleset, targets, levels)
        server.health.add_check(parent.problems)
        calm()
        await server.serve(ready)

    try:
        targets = read_targets(settings.targets, wall_clock, settings.imports)
        check_connections(targets, settings.pool_max)
        check_rules(ruleset, targets)
        asyncio.run(run())
    except WorkersFailed as error:
        raise CommandFailed(str(error), error.status) from error
    except ModulesMissing as error:
        raise CommandFailed(str(error)) from error
    except RuleErrors as error:
        for each in error.diagnostics:
            note(each.render())
        raise CommandFailed("the rules and the targets do not fit together") from error
    except (LogError, QueryStoreError, TargetError, RuleFilesError, OSError) as error:
        raise CommandFailed(str(error)) from error
    return OK
