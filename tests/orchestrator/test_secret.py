"""Where secrets of targets come from: the environment, and files as Kubernetes mounts them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.errors import TargetError
from adapters.target import Target
from orchestrator.secret import LARGEST
from orchestrator.targets import read_targets

SECRET = "whsec_" + "c" * 40


def read(folder: Path, reference: str) -> dict[str, Target]:
    (folder / "targets.yaml").write_text(
        f"targets:\n  police:\n    kind: webhook\n    url: http://a.example/\n    secret: {reference}\n"
    )
    return read_targets(folder / "targets.yaml", lambda: 0)


def refused(folder: Path, reference: str) -> str:
    with pytest.raises(TargetError) as caught:
        read(folder, reference)
    return str(caught.value).partition(":5:5: target `police`, `secret`: ")[2]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_mounted_file_holds_a_secret_with_or_without_an_end_of_line(tmp_path: Path, end: str) -> None:
    (tmp_path / "key").write_text(SECRET + end, newline="")
    assert read(tmp_path, f"file:{tmp_path}/key")["police"].open is not None


def test_a_variable_holds_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICE_SECRET", SECRET)
    assert read(tmp_path, "env:POLICE_SECRET")["police"].open is not None
    monkeypatch.delenv("POLICE_SECRET")
    assert refused(tmp_path, "env:POLICE_SECRET") == "POLICE_SECRET is not set: set it to the secret"


def test_a_file_that_gives_no_secret_is_refused_in_words(tmp_path: Path) -> None:
    where = f"the file {tmp_path}/key"
    assert refused(tmp_path, f"file:{tmp_path}/key") == (
        f"{where} cannot be read (No such file or directory): mount it, and let this user read it"
    )
    for content, message in [
        (b"", f"{where} is empty: write the secret into it"),
        (b"\n", f"{where} is empty: write the secret into it"),
        (b"\xff\xfe", f"{where} is not UTF-8: write the secret as text, such as base64"),
        (b"x" * (LARGEST + 1), f"{where} is longer than 65,536 bytes: that is no secret; name another file"),
        (SECRET.encode() + b"\n\n", "what follows `whsec_` in the secret is not base64"),
    ]:
        (tmp_path / "key").write_bytes(content)
        found = refused(tmp_path, f"file:{tmp_path}/key")
        assert found.startswith(message)
        assert SECRET not in found
    assert refused(tmp_path, "file:key").startswith("write the whole path of the file, from the root")
    assert refused(tmp_path, f"file:{tmp_path}").startswith(f"the file {tmp_path} cannot be read (Is a directory)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").touch(0o000)
    assert "cannot be read (Permission denied)" in refused(tmp_path, f"file:{tmp_path}/key")
