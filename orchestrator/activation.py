"""Rule sets by digest: kept in the log, activated by control event, compiled when a worker meets them.

At start the shell activates what its files say wherever another rule set is active. A replay meets the same activations
at the same offsets and finds their texts in the log, whatever became of the files since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

import msgspec

from rules.compile import compile_rules
from rules.load import from_document
from rules.processor import RulesProcessor
from rules.python.needed import Modules
from rules.ruleset import RuleSet
from streams.event import ACTIVATED, control
from streams.log import Append, Log, LogDamaged
from streams.processor import Partition
from streams.state import PARTITION
from streams.worker import RULES

_MOST_COMPILED = 16
KEPT = 300.0
"""Seconds."""


class Processors:
    """Compiled rule sets by digest, from the documents of one log. Any thread. Whoever asks again for one that somebody
    uses gets the same; beside these a few are kept, for a while after they were asked for last."""

    def __init__(
        self,
        log: Log,
        modules: Modules = (),
        *,
        kept: float = KEPT,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`modules`: the files of Python rules that the operator named; rule sets find those in it that they need.
        `kept`: seconds, by `monotonic`; without a clock they are kept until there are too many."""
        self._log = log
        self._modules = tuple(modules)
        self._kept_for = kept
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._used: WeakValueDictionary[str, RulesProcessor] = WeakValueDictionary()
        self._kept: dict[str, tuple[float, RulesProcessor]] = {}
        """With the time when it was asked for last: the longest ago first."""

    def __call__(self, digest: str) -> RulesProcessor:
        """Raises LogDamaged for a rule set that was activated and is not in the log, RuleErrors for one that this
        version cannot read."""
        with self._lock:
            found = self._used.get(digest)
            if found is not None:
                return self._keep(digest, found)
            body = self._log.document(digest)
            if body is None:
                raise LogDamaged(f"the log activates rule set {digest}, but does not hold it: restore it from a backup")
            compiled = self._used[digest] = compile_rules(from_document(body, self._modules))
            return self._keep(digest, compiled)

    def _keep(self, digest: str, compiled: RulesProcessor) -> RulesProcessor:
        now = self._monotonic()
        self._kept.pop(digest, None)
        self._kept[digest] = now, compiled
        for old, (asked, _) in list(self._kept.items()):
            if len(self._kept) > _MOST_COMPILED or now - asked > self._kept_for:
                del self._kept[old]
        return compiled


def activate(log: Log, ruleset: RuleSet, now: Callable[[], int]) -> list[int]:
    """Activates the rule set in every partition where another one is active, or may be: an activation may wait in what
    is not evaluated yet. Which those were. One too many does no harm: it changes nothing."""
    digest = ruleset.digest
    others = [partition for partition in range(log.info.partitions) if not _surely(log, partition, digest)]
    if others:
        log.put_document(digest, ruleset.document)
        event = control(ACTIVATED, {"digest": digest, "name": ruleset.name}, time=now())
        log.append([Append(partition, [event], follows=True) for partition in others])
    return others


def _surely(log: Log, partition: int, digest: str) -> bool:
    return log.tail(partition) == log.position(partition, RULES) and active(log, partition) == digest


def without_history(processors: Processors, log: Log, digest: str) -> list[str]:
    """What of this rule set begins without state in some partition, because the set that is active there does not have
    it, or means something else by it; nothing for a log that never had rules. Raises as `Processors` does."""
    before = {active(log, partition) for partition in range(log.info.partitions)} - {"", digest}
    after = processors(digest)
    named = {f"projection `{name}`": id for name, id in after.projection_ids.items()}
    named |= {"{} of {}".format(*reversed(name.rsplit("/", 1))): id for name, id in after.node_ids.items()}
    known = [{*old.projection_ids.values(), *old.node_ids.values()} for old in map(processors, sorted(before))]
    return [name for name, id in named.items() if any(id not in ids for ids in known)]


def active(log: Log, partition: int) -> str:
    """The digest of the rule set that the partition's last commit left active; "" for none."""
    row = log.rows(partition, RULES, [PARTITION]).get(PARTITION)
    return "" if row is None else msgspec.msgpack.decode(row, type=Partition).rules
