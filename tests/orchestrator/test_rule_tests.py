"""`orchestrator rules test` as people and build servers use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator.cli.exits import CommandFailed
from orchestrator.cli.rule_tests import run_rule_tests

RULES = """
ruleset: shop
rules:
  greet: {on: order.placed, then: [{command: greet, to: mail, args: {n: "${event.data.n}"}}]}
tests:
  good: {given: [{type: order.placed, time: 2024-01-01T00:00:00Z, data: {n: 1}}], expect: [{command: greet}]}
  bad & <ugly>: {given: [{type: order.placed, time: 2024-01-01T00:00:00Z, data: {n: 1}}], expect: []}
"""


def test_build_servers_read_the_outcomes_as_junit(tmp_path: Path) -> None:
    rules, report = tmp_path / "rules.yaml", tmp_path / "report.xml"
    rules.write_text(RULES)
    assert run_rule_tests(rules, junit=report) == 1
    suites = ElementTree.parse(report).getroot()
    assert (suites.tag, suites.get("tests"), suites.get("failures")) == ("testsuites", "2", "1")
    good, bad = suites.iter("testcase")
    assert (good.get("name"), good.get("classname"), len(good)) == ("good", "shop.rules.yaml", 0)
    assert (bad.get("name"), bad.get("file"), bad.get("line")) == ("bad & <ugly>", "rules.yaml", "7")
    failure = bad.find("failure")
    assert failure is not None
    assert "expected nothing" in str(failure.text)


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    with pytest.raises(CommandFailed, match="No such file"):
        run_rule_tests(rules, junit=tmp_path / "none" / "report.xml")


def test_watching_runs_again_after_each_change_also_after_a_broken_one(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    command = [sys.executable, "-m", "orchestrator", "rules", "test", str(rules), "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watching:
        assert watching.stdout is not None

        def until(said: str) -> None:
            assert watching.stdout is not None
            for line in watching.stdout:
                if said in line:
                    return
            raise AssertionError(f"it ended without {said!r}")

        try:
            until("1 passed, 1 failed")
            rules.write_text("rules: {")
            until("the rules have errors")
            rules.write_text(RULES.replace("expect: []", "expect: [{command: greet}]"))
            until("2 passed, 0 failed")
        finally:
            watching.kill()
