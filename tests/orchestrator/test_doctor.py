"""`doctor` finds what keeps a server from working, says what to do, and is quiet about what is well."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.cli.main import run
from orchestrator.doctor import disk, log, versions
from orchestrator.doctor.log import FAR
from streams.backends.open import open_log
from streams.event import control
from streams.log import Append
from tests.conformance.backends import redis_url
from tests.crash.processes import ServerProcess

RULES = """
ruleset: shop
rules:
  big:
    on: order.placed
    then: [{command: look-at, to: log}]
"""


class Doctor:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.status = -1

    def __call__(self, *flags: str) -> dict[str, list[Any]]:
        """What → findings. Ports that are free unless the flags say others."""
        ports = [] if "--port" in flags else ["--port", "0"]
        self.status = run(["doctor", *ports, "--metrics-port", "0", "--json", *flags])
        found: dict[str, list[Any]] = {}
        for line in self.capsys.readouterr().out.splitlines():
            each = json.loads(line)
            assert bool(each["remedy"]) == (each["verdict"] != "ok"), each
            found.setdefault(each["what"], []).append(each)
        return found


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("ORCHESTRATOR_") or name == "REDIS_URL":
            monkeypatch.delenv(name)
    (tmp_path / "rules.yaml").write_text(RULES)
    return Doctor(tmp_path, capsys)


def verdict(found: dict[str, list[Any]], what: str, remedy: str = "") -> tuple[str, str]:
    (each,) = found[what]
    assert remedy in each["remedy"], each
    return each["verdict"], each["said"]


def test_where_all_is_well_nothing_is_to_be_done_and_nothing_was_made(doctor: Doctor) -> None:
    found = doctor()
    assert doctor.status == 0
    assert {each["verdict"] for findings in found.values() for each in findings} <= {"ok", "warn"}
    machine = ["settings", "python", "sqlite", "time zones", "open files"]
    assert list(found) == [*machine, "folder", "disk", "file system", "log", "port", "metrics port", "rules", "targets"]
    assert verdict(found, "rules") == ("ok", "shop: 1 rule, 0 projections")
    assert [path.name for path in doctor.folder.iterdir()] == ["rules.yaml"]
    assert run(["doctor", "--port", "0", "--metrics-port", "0"]) == 0
    assert "ok    rules: shop: 1 rule" in doctor.capsys.readouterr().out


def test_settings_that_cannot_be_used_are_all_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_LEASE", "0.1")
    monkeypatch.setenv("WORKERS", "none")
    found = doctor()
    assert (doctor.status, set(found)) == (1, {"settings"})
    assert [each["said"].split(":")[0] for each in found["settings"]] == ["ORCHESTRATOR_LEASE=0.1", "WORKERS=none"]


def test_rules_and_targets_that_cannot_be_loaded_fail(doctor: Doctor) -> None:
    file = doctor.folder / "rules.yaml"
    file.write_text(RULES.replace("to: log", "to: police"))
    assert "police" in doctor()["rules"][-1]["said"]
    assert doctor.status == 1
    file.write_text(RULES.replace("on: order", "wenn: 1\n    on: order"))
    assert "rules.yaml:5:5: error" in verdict(doctor(), "rules", "orchestrator rules check rules.yaml")[1]
    assert verdict(doctor("--rules", "none.yaml"), "rules")[0] == "fail"
    file.unlink()
    assert verdict(doctor(), "rules", "ORCHESTRATOR_RULES")[0] == "warn"
    (doctor.folder / "targets.yaml").write_text("targets: {police: {kind: carrier-pigeon}}\n")
    assert "carrier-pigeon" in verdict(doctor("--targets", "targets.yaml"), "targets")[1]
    assert doctor.status == 1


def test_a_port_is_free_or_ours_or_somebody_elses(doctor: Doctor, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        found = doctor("--port", port)
        assert verdict(found, "port", "ORCHESTRATOR_PORT")[0] == "fail"
        assert doctor.status == 1
    assert verdict(doctor("--port", port), "port")[0] == "ok"
    (tmp_path / "targets.yaml").write_text("targets: {}\n")
    server = ServerProcess(tmp_path, tmp_path / "rules.yaml", tmp_path / "targets.yaml", 2)
    try:
        server.spawn()
        server.wait_ready()
        found = doctor("--port", str(server.port), "--log", server.log)
        assert "by an orchestrator that runs already" in verdict(found, "port")[1]
        assert verdict(found, "log") == ("ok", f"{server.log}: 2 partitions, generation 1")
        assert verdict(found, "clock")[0] == "ok"
        assert doctor.status == 0
    finally:
        server.clean_up()


def test_a_log_that_is_none_or_another_fails(doctor: Doctor) -> None:
    (doctor.folder / "log.db").write_bytes(b"no database" * 100)
    assert verdict(doctor("--log", "sqlite:///log.db"), "log")[0] == "fail"
    assert doctor.status == 1
    assert verdict(doctor("--log", "memory://"), "log")[0] == "warn"
    assert doctor.status == 0


def test_a_clock_that_was_set_back_is_seen_in_the_log(doctor: Doctor) -> None:
    opened = open_log("sqlite:///log.db", partitions=3, now=lambda: 0)
    ahead = time.time_ns() // 1000 + FAR + 60_000_000
    opened.append([Append(2, [control("orchestrator.tick", {"limit": 1}, time=ahead)])])
    opened.close()
    verdict_, said = verdict(doctor("--log", "sqlite:///log.db"), "clock", "set-ntp")
    assert (verdict_, "ahead of this machine's clock" in said) == ("warn", True)


def test_a_disk_that_is_full_or_remote_or_not_ours_is_told(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, expected in ((1 << 20, "fail"), (1 << 29, "warn"), (1 << 31, "ok")):
        monkeypatch.setattr(disk.os, "statvfs", lambda path, free=free: SimpleNamespace(f_bavail=free, f_frsize=1))
        assert verdict(doctor(), "disk")[0] == expected
    mounts = doctor.folder / "mounts"
    monkeypatch.setattr(disk, "MOUNTS", mounts)
    for kind, expected in (("nfs4", "fail"), ("tmpfs", "warn"), ("ext4", "ok")):
        mounts.write_text(f"/dev/x / xfs rw 0 0\nserver:/x {doctor.folder} {kind} rw 0 0\n")
        assert verdict(doctor(), "file system")[0] == expected
    monkeypatch.setattr(disk.os, "access", lambda path, mode: False)
    assert verdict(doctor(), "folder", "chown")[0] == "fail"


def test_what_is_too_old_or_too_little_is_told(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STREAMS", "5000000")
    assert verdict(doctor(), "open files", "ulimit -n 5000256")[0] == "warn"
    monkeypatch.setattr(versions.sqlite3, "sqlite_version_info", (3, 7, 17))
    assert verdict(doctor(), "sqlite")[0] == "fail"
    real = versions.version
    monkeypatch.setattr(versions, "version", lambda name: "2019.1" if name == "tzdata" else real(name))
    assert verdict(doctor(), "time zones", "tzdata")[0] == "warn"


def test_redis_is_asked_for_its_version_clock_and_settings(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = redis_url("single", tmp_path)
    found = doctor("--log", url)
    assert "has version" in verdict(found, "redis")[1]
    assert verdict(found, "clock")[0] == "ok"
    assert "file system" not in found
    texts = [each["said"] for each in found.get("redis settings", [])]
    assert any("set maxmemory" in text for text in texts), texts
    now = log.wall_clock
    for seconds, expected in ((-10, "warn"), (10, "warn"), (400, "fail"), (-400, "warn")):
        monkeypatch.setattr(log, "wall_clock", lambda seconds=seconds: now() + seconds * 1_000_000)
        assert verdict(doctor("--log", url), "clock", "NTP")[0] == expected
    found = doctor("--log", "redis://me:secret@127.0.0.1:1")
    assert "secret" not in json.dumps(found)
    assert verdict(found, "settings") == ("ok", "the log is redis://127.0.0.1:1")
    assert (verdict(found, "redis", "REDIS_URL")[0], doctor.status) == ("fail", 1)


@pytest.mark.parametrize(
    ("version", "expected"), [("6.2.14", "fail"), ("7.0.15", "warn"), ("7.2.4", "ok"), ("8", "ok")]
)
def test_old_versions_of_redis_are_told(version: str, expected: str) -> None:
    assert log.redis_version("redis:6379", version).verdict == expected


@pytest.fixture(autouse=True)
def no_leftovers(tmp_path: Path) -> Iterator[None]:
    yield
    assert not (tmp_path / ".orchestrator").exists(), "a look makes nothing"
