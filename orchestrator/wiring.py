"""The parts of a server and who tells whom: log, agent, feeder, and what the API asks of them.

`Engine` is made from settings, starts what the server's roles need and works without HTTP, and stops it in order: first
the agent, which finishes its batch, commits and releases; then the feeder, which shows what was committed; then the
files close. Each lives in a thread, where the server has the role `agent`; the feeder of the embedded log, where all
query tables are one process's, feeds all partitions, else those that the agent holds.
Nothing that fails in one of them is lost: it is counted, logged, and part of `problems` until it is mended.
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from orchestrator.activation import Processors, activate, without_history
from orchestrator.failure_fields import fields
from orchestrator.python_rules import read_known
from orchestrator.settings import Settings
from orchestrator.threads import Part
from projections.feeder import BESIDE, Bounds, Feeder
from projections.query import Queries
from projections.store import QueryStore
from projections.stores.redis import store as redis
from projections.stores.sqlite import store as sqlite
from projections.table import RULES, CommandDecoder, QueryTable
from rules.processor import RulesProcessor
from rules.row_kinds import row_kinds
from rules.ruleset import RuleSet
from streams.agent import ELSEWHERE, HELD, Agent, AgentOptions
from streams.backends.open import open_log
from streams.backends.redis.url import RedisOptions, parse
from streams.log import Log, LogInfo
from streams.owned import PartitionView

MOST_PAGES = 50
"""Of one read, and so of one commit, under backlog."""
MOST_EVENTS = 5_000
"""The same in events."""
STOP_TIMEOUT = 30.0
"""Seconds that each part has to end."""
LOSS_SHOWN = 3_600_000_000
"""Microseconds for which it is shown that the log lost events."""
_log = structlog.get_logger()


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def member() -> str:
    """A name that no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"


class Engine:
    """`commands` decodes what delivery keeps; `committed` is told of each commit of the rules, in the agent's
    thread."""

    def __init__(
        self,
        settings: Settings,
        ruleset: RuleSet,
        commands: CommandDecoder,
        *,
        committed: Callable[[int], None] = lambda partition: None,
        failed: Callable[[str, BaseException], None] = lambda part, error: None,
        wrap: Callable[[Log], Log] = lambda log: log,
    ) -> None:
        """`wrap` makes what everybody sees of the log (metrics).

        Raises LogError, RuleErrors, RuleFilesError and QueryStoreError: nothing is started then."""
        self.settings = settings
        self._failed = failed
        self._tell = committed
        self.embedded = settings.embedded
        """Whether the log is this process's own."""
        self.log: Log = wrap(
            open_log(settings.log, partitions=settings.partitions, now=wall_clock, redis=settings.redis)
        )
        self.now = self.log.now
        self.member = member()
        try:
            self.processors = Processors(
                self.log,
                [*ruleset.modules.items(), *read_known(settings.python_rules_old)],
                kept=settings.rule_cache,
                monotonic=time.monotonic,
            )
            self.ruleset = ruleset
            self._processor = self._compiled(ruleset)
            self.activated = self._activate()
            path = query_path(settings.log)
            self._home: tempfile.TemporaryDirectory[str] | None = None
            if path is None and self.embedded:
                self._home = tempfile.TemporaryDirectory(prefix="orchestrator-")
                path = Path(self._home.name, "query.db")
            self.store = open_tables(
                settings.log,
                path,
                self.log.info,
                tables(self._processor),
                lambda text: _log.warning("query tables", text=text),
                settings.redis,
            )
        except BaseException:
            self.log.close()
            raise
        self.queries = Queries(
            self.store,
            lambda: self.log.info.generation,
            lambda: {status.partition: status.tail for status in self.log.status()},
        )
        self.feeder = Feeder(
            self.log,
            self.store,
            commands,
            partitions=self._fed,
            apart=self.embedded,
            monotonic=time.monotonic,
            bounds=Bounds() if self.embedded else BESIDE,
            failed=lambda error: self.report("feeder", error),
        )
        self.agent = Agent(
            self.log,
            self.member,
            self.processors,
            monotonic=time.monotonic,
            options=AgentOptions(
                lease=settings.lease,
                page=min(MOST_PAGES * settings.batch, MOST_EVENTS),
                cache=settings.cache_bytes,
                tick_delay=int(settings.tick_delay * 1e6),
                gather=min(AgentOptions().gather, settings.batch_timeout),
            ),
            committed=self._committed,
            failed=self.report,
        )
        self._left: list[int] = []
        self._agent = Part("agent", self.agent.run, failed=self.report)
        self._feeder = Part("feeder", self.feeder.run, failed=self.report)

    def _compiled(self, ruleset: RuleSet) -> RulesProcessor:
        self.log.put_document(ruleset.digest, ruleset.document)
        return self.processors(ruleset.digest)

    def _activate(self) -> list[int]:
        """The partitions in which another rule set was active."""
        changed = without_history(self.processors, self.log, self.ruleset.digest)
        partitions = activate(self.log, self.ruleset, self.now)
        if partitions:
            _log.info("rules activated", ruleset=self.ruleset.name, digest=self.ruleset.digest, partitions=partitions)
        if changed and partitions:
            _log.warning(
                "changed or new parts of the rules begin empty, and what their old form kept is left", parts=changed
            )
        return partitions

    def start(self) -> None:
        for text in self.log.warnings():
            _log.warning("settings of the log", text=text)
        if "agent" in self.settings.roles:
            self._feeder.start()
            self._agent.start()

    def stop_agent(self) -> None:
        """Blocks until the agent has released its partitions, at most STOP_TIMEOUT seconds."""
        self._left = self.agent.partitions
        self._agent.ask_to_stop()
        if self._agent.started and not self._agent.join(STOP_TIMEOUT):
            _log.error("the agent did not stop in time; its lease will run out", seconds=STOP_TIMEOUT)

    def close(self) -> None:
        """After `stop_agent`. Blocks until what was committed here is shown, where the tables stay."""
        self._feeder.ask_to_stop()
        self.feeder.notify()
        if not self._feeder.started or self._feeder.join(STOP_TIMEOUT):
            if self._feeder.started and not self.feeder.status.failure and self._home is None:
                self.feeder.catch_up()
            self.store.close()
            if self._home is not None:
                self._home.cleanup()
            self.log.close()
        else:
            _log.error("the feeder did not stop in time", seconds=STOP_TIMEOUT)

    # ------------------------------------------------------------ looking

    def views(self) -> list[PartitionView]:
        """Of all partitions, as this server's agent sees them; none without an agent."""
        return self.agent.views() if "agent" in self.settings.roles else []

    def shown(self, partition: int) -> int | None:
        """Up to which commit of the rules query tables show a partition; None where this process does not feed them."""
        return self.store.position(partition, RULES) if self._feeder.started and partition in self._fed() else None

    def _fed(self) -> Sequence[int]:
        """The partitions whose query tables this process feeds. Those it gave back when it was stopped are fed to the
        end: whoever took one may feed it, too."""
        if self.embedded:
            return range(self.log.info.partitions)
        return self._left or self.agent.partitions

    def problems(self) -> list[str]:
        """What is wrong now, in words; nothing if all is well."""
        found = [f"{part.name}: {part.failure}" for part in (self._agent, self._feeder) if part.failure]
        found += self.log.warnings()
        found += self._losses()
        if self.feeder.status.failure:
            found.append(f"query tables fall behind: {self.feeder.status.failure}")
        views = self.views()
        elsewhere = [view.partition for view in views if view.state == "waiting"]
        if self.embedded and elsewhere and len(elsewhere) < len(views) and self.agent.settled:
            found.append(
                f"partitions {', '.join(map(str, elsewhere))} belong to another process: deadlines wait for events "
                "until one process has them all; run one server a log"
            )
        for view in views:
            if view.state == "failed":
                found.append(f"partition {view.partition} failed: {view.reason}")
            if view.blocked:
                found.append(
                    f"partition {view.partition}: {view.blocked} keys are blocked behind parked events: "
                    "`orchestrator parked list`"
                )
        return found

    def _losses(self) -> list[str]:
        since = self.log.now() - LOSS_SHOWN
        return [
            f"the log lost events of partition {fork.partition} beyond offset {fork.offset} and is in generation "
            f"{fork.generation} since then: let producers send again what they published shortly before"
            for fork in self.log.forks
            if fork.at > since
        ]

    def waiting_for(self) -> list[str]:
        """What keeps this process from its work, in words. On a shared log others do what it cannot have."""
        theirs = () if self.embedded else (ELSEWHERE, HELD)
        return [
            f"partition {view.partition}: {view.reason}"
            for view in self.views()
            if view.state != "running" and view.reason not in theirs
        ]

    def _committed(self, partition: int) -> None:
        self.feeder.notify()
        self._tell(partition)

    def report(self, part: str, error: BaseException) -> None:
        """Something failed that nobody expected: logged, and told on. From any thread."""
        _log.error("failed", **fields(part), error=str(error), exc_info=error)
        self._failed(part, error)


def tables(processor: RulesProcessor) -> list[QueryTable]:
    """The query tables of a rule set."""
    kinds = row_kinds(processor.ruleset)
    return [
        QueryTable(each.name, processor.projection_ids[each.name], each.index, kinds[each.name])
        for each in processor.ruleset.projections.values()
    ]


def query_path(log_url: str) -> Path | None:
    """The file of the query tables, beside the log's. None where the log is no file."""
    parts = urlsplit(log_url)
    if parts.scheme != "sqlite":
        return None
    path = Path(parts.path[1:])
    return path.with_name(f"{path.stem}.query.db")


def open_tables(
    log_url: str,
    path: Path | None,
    info: LogInfo,
    shown: Sequence[QueryTable],
    notice: Callable[[str], None],
    options: RedisOptions | None = None,
) -> QueryStore:
    """The query tables of a log: in the file, or without one in Redis beside the log, with `options` where its URL says
    nothing. Raises QueryStoreError."""
    if path is None:
        return redis.QueryStore(parse(log_url, options), info, shown)
    return sqlite.QueryStore(path, info, shown, notice=notice)
