"""`orchestrator replay rebuild` says how far it is, and can be cancelled."""

from __future__ import annotations

import time
from pathlib import Path
from unittest.mock import patch

import pytest

from orchestrator.cli.main import run
from orchestrator.server import command_row
from orchestrator.wiring import open_tables, query_path, tables
from projections.query import Queries
from projections.refill import refill
from replay import rebuild
from rules.compile import compile_rules
from rules.load import load_sources
from streams.backends.open import open_log
from tests.agent.running import Running, event

RULES = """
ruleset: t
projections:
  totals:
    fold: {paid: {amount: event.data.amount}}
    index: [amount]
"""
KEYS = [f"K{number}" for number in range(30)]


def now() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log with rows in each of its three partitions."""
    url = f"sqlite:///{tmp_path}/log.db"
    log = open_log(url, partitions=3, now=now)
    ruleset = load_sources({"rules.yaml": RULES})
    log.put_document(ruleset.digest, ruleset.document)
    Running(log, compile_rules(ruleset), now).activate().publish(
        *(event("paid", key, amount=1) for key in KEYS)
    ).settle()
    log.close()
    return url


def listed(url: str) -> list[str]:
    log = open_log(url, now=now, create=False)
    path = query_path(url)
    store = open_tables(url, path, log.info, tables(compile_rules(load_sources({"rules.yaml": RULES}))), print)
    found = [row.key for row in Queries(store).rows("totals", sort="amount").rows]
    store.close()
    log.close()
    return found


def test_a_cancelled_rebuild_says_what_was_done_and_changes_nothing_else(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", "rebuild", "--log", url]) == 0
    assert listed(url) == sorted(KEYS)
    capsys.readouterr()

    def cancelled(log: object, store: object, partition: int, *more: object) -> int:
        if partition == 2:
            more[-1](1)  # type: ignore[operator]
            raise KeyboardInterrupt
        return refill(log, store, partition, *more)  # type: ignore[arg-type]

    with patch.object(rebuild, "refill", cancelled):
        assert run(["replay", "rebuild", "--log", url]) == 130
    assert "cancelled: 2 of 3 partitions were made again, the others show what they showed before" in (
        capsys.readouterr().err
    )
    assert listed(url) == sorted(KEYS)


def test_what_is_to_be_read_is_estimated_from_the_partitions_that_are_done(url: str) -> None:
    """Where no rows are shown yet, as after a damaged file was deleted."""
    told: list[rebuild.Progress] = []
    log = open_log(url, now=now, create=False)
    shown = tables(compile_rules(load_sources({"rules.yaml": RULES})))
    store = open_tables(url, query_path(url), log.info, shown, print)
    result = rebuild.rebuild(log, store, command_row, told.append)
    assert result.tables == {"totals": 30}
    for at in told:
        if at.partition:
            assert at.estimate == pytest.approx(30, abs=20)
            assert at.rows <= at.estimate
    assert {at.partition for at in told} == {0, 1, 2}
    store.close()
    log.close()
