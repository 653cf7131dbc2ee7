"""Webhooks over TLS with an authority and a certificate of one's own, against a real server that asks for it."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.work import Verdict
from tests.adapters.receiver import receiving
from tests.adapters.webhooks import clock, delivered, refused

YEAR_2500 = int(datetime(2500, 1, 1, tzinfo=UTC).timestamp() * 1e6)


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


def issue(folder: Path, name: str) -> None:
    """A key and a certificate of the authority in this folder, for the name `police.test`."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", folder / f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:police.test\n")
    openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-out", cert, "-days", 30, "-extfile", folder / "names")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
            "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-subj", "/CN=authority")  # fmt: skip
    for name in ("server", "ours", "other"):
        issue(folder, name)
    openssl("ec", "-in", folder / "ours.key", "-aes256", "-passout", "pass:hush", "-out", folder / "locked.key")
    return folder


def serving(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def keys(folder: Path, **more: Any) -> dict[str, Any]:
    return {"ca": f"{folder}/ca.pem", "cert": f"{folder}/ours.pem", "key": f"{folder}/ours.key", **more}


async def test_both_sides_know_each_other_by_certificate(made: Path) -> None:
    async with receiving(tls=serving(made)) as receiver:
        found = await delivered(receiver.url, tls=keys(made, server_name="police.test"))
    assert (found.verdict, found.status) == (Verdict.DONE, "204")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "tls",
    [
        {"ca": "ca.pem", "server_name": "police.test"},
        {"cert": "ours.pem", "key": "ours.key", "server_name": "police.test"},
        {"ca": "ca.pem", "cert": "ours.pem", "key": "ours.key"},
        {"ca": "ca.pem", "cert": "ours.pem", "key": "ours.key", "server_name": "bank.test"},
    ],
    ids=["we have none", "theirs is not trusted", "theirs is not for the host", "theirs is not for the name"],
)
async def test_who_is_not_known_gets_nothing_and_it_is_tried_again(made: Path, tls: dict[str, str]) -> None:
    paths = {name: value if name == "server_name" else f"{made}/{value}" for name, value in tls.items()}
    async with receiving(tls=serving(made)) as receiver:
        found = await delivered(receiver.url, tls=paths)
    assert receiver.requests == []
    assert found.verdict is Verdict.RETRY
    assert found.status in ("tls", "broken")  # a server that misses our certificate just closes the connection


def test_files_that_cannot_be_used_are_named_when_the_file_is_read(made: Path) -> None:
    (made / "nothing.pem").write_text("nothing")
    (made / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for more, why in [
        ({"ca": f"{made}/none"}, f"the file {made}/none cannot be read (No such file or directory): correct it"),
        ({"ca": f"{made}/nothing.pem"}, f"the file {made}/nothing.pem holds no certificate in PEM: "),
        ({"cert": f"{made}/broken.pem"}, f"the file {made}/broken.pem holds a certificate that cannot be read"),
        ({"key": f"{made}/other.key"}, f"the key in {made}/other.key cannot be used: it does not belong to the"),
        ({"key": f"{made}/none"}, f"the key in {made}/none cannot be used: No such file or directory"),
        ({"key": f"{made}/ca.pem"}, f"the key in {made}/ca.pem cannot be used: "),
        ({"key": f"{made}/locked.key"}, f"the key in {made}/locked.key is encrypted: store it as it is"),
    ]:
        assert refused(tls=keys(made, **more)).startswith(f"`tls`: {why}"), more
    assert refused(tls={"key": "x"}) == "`tls`: a `key` needs the `cert` that it belongs to"
    assert refused(url="http://a.example/", tls=keys(made)) == ": `tls` needs a `url` that begins with https://"


def test_a_certificate_out_of_its_time_is_refused_when_the_file_is_read(made: Path) -> None:
    found = refused(tls={"cert": f"{made}/ours.pem", "key": f"{made}/ours.key"}, now=lambda: YEAR_2500)
    after = datetime.fromtimestamp(clock() / 1e6 + 30 * 86_400, UTC)
    assert found == f"`tls`: the certificate in {made}/ours.pem has expired on {after:%Y-%m-%d}: renew it"
    assert "begins on" in refused(tls={"cert": f"{made}/ours.pem", "key": f"{made}/ours.key"}, now=lambda: 0)
    found = refused(tls={"ca": f"{made}/ca.pem"}, now=lambda: YEAR_2500)
    assert found == f"`tls`: every certificate in {made}/ca.pem has expired: renew it"
