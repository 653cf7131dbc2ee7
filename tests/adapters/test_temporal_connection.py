"""How a target of the kind `temporal` reaches its server: late, again, over TLS, and with whose words."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.service import RPCError, RPCStatusCode

from adapters.targets.temporal.answers import ANSWERS, BUSY, outcome_of
from adapters.work import Verdict
from tests.adapters.temporal_server import LONGEST, TemporalServer, shared
from tests.adapters.temporals import again, delivered, opened, refused, to_the_end, waiting_workflow, work, working
from tests.adapters.test_webhook_tls import issue, openssl
from tests.ports import free_ports

pytestmark = pytest.mark.timeout(LONGEST)
YEAR_2500 = int(datetime(2500, 1, 1, tzinfo=UTC).timestamp() * 1e6)


# -- a server that is not there


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    found = await delivered(work(), address=f"127.0.0.1:{free_ports(1)}")
    assert (found.verdict, found.status) == (Verdict.RETRY, "connect")
    assert "no connection to 127.0.0.1:" in found.reason


async def test_a_name_that_nobody_knows_is_tried_again() -> None:
    found = await delivered(work(), address="nowhere.invalid:7233")
    assert (found.verdict, found.status) == (Verdict.RETRY, "connect")


async def test_a_server_that_does_not_answer_is_given_up_within_the_timeout() -> None:
    async with silent() as address, opened(address=address, timeout="300ms") as adapter:
        began = asyncio.get_running_loop().time()
        found = await asyncio.gather(*(adapter.deliver(work()) for _ in range(5)))
        assert asyncio.get_running_loop().time() - began < 2
    assert {(each.verdict, each.status) for each in found} == {(Verdict.RETRY, "timeout")}


async def test_a_target_made_before_its_server_delivers_when_that_is_there_and_there_again(tmp_path: Path) -> None:
    server = TemporalServer(tmp_path / "server")
    try:
        server.kill()
        async with opened(address=server.address) as adapter:
            first, second = work(), work()
            assert (await adapter.deliver(first)).verdict is Verdict.RETRY
            server.start()
            assert (await adapter.deliver(again(first))).status == "started"
            server.kill()
            found = await adapter.deliver(second)
            assert (found.verdict, found.status) == (Verdict.RETRY, "UNAVAILABLE")
            server.start()
            async with asyncio.timeout(20):
                while (found := await adapter.deliver(again(second))).verdict is Verdict.RETRY:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert found.status == "started"
            assert await adapter.deliver(again(first)) == await adapter.deliver(again(first, 3))
    finally:
        server.stop()


async def test_a_target_has_one_connection_and_none_when_it_is_closed() -> None:
    port = shared().port
    before = connections(port)
    async with opened() as adapter:
        assert connections(port) == before  # not before it is needed
        await asyncio.gather(*(adapter.deliver(work()) for _ in range(20)))
        assert len(connections(port) - before) == 1
    async with asyncio.timeout(10):
        while connections(port) - before:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.05)


# -- TLS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
            "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-subj", "/CN=authority")  # fmt: skip
    for name in ("server", "ours"):
        issue(folder, name)
    return folder


async def test_both_sides_know_each_other_by_certificate(made: Path) -> None:
    async with behind_tls(made) as address:
        tls = {"ca": f"{made}/ca.pem", "server_name": "police.test"}
        ours = {"cert": f"{made}/ours.pem", "key": f"{made}/ours.key"}
        assert (await delivered(work(), address=address, tls=tls | ours)).status == "started"
        for other in (tls, ours, {"ca": f"{made}/ca.pem", **ours}):  # who are we, who is it, is it the one
            found = await delivered(work(), address=address, tls=other)
            assert (found.verdict, found.status) == (Verdict.RETRY, "connect"), other
        found = await delivered(work(), address=address)
        assert found.verdict is Verdict.RETRY


async def test_key_and_certificate_may_stand_in_one_file(made: Path) -> None:
    both = made / "both.pem"
    both.write_bytes((made / "ours.pem").read_bytes() + (made / "ours.key").read_bytes())
    tls = {"ca": f"{made}/ca.pem", "cert": str(both), "server_name": "police.test"}
    async with behind_tls(made) as address:
        assert (await delivered(work(), address=address, tls=tls)).status == "started"


def test_certificates_that_cannot_be_used_are_refused(made: Path) -> None:
    assert refused(tls={"ca": "/nowhere.pem"}) == (
        "`tls`: the file /nowhere.pem cannot be read (No such file or directory): correct it"
    )
    assert "has expired" in refused(tls={"ca": f"{made}/ca.pem"}, now=lambda: YEAR_2500)


async def test_an_api_key_is_not_sent_without_tls_unless_the_file_says_so() -> None:
    keys = {"secrets": {"env:KEY": "hunter2"}, "api_key": "env:KEY"}
    for tls in ({}, {"tls": True}):
        found = await delivered(work(), **keys, **tls)
        assert (found.verdict, found.status) == (Verdict.RETRY, "connect")  # the shared server has no TLS
    assert (await delivered(work(), **keys, tls=False)).status == "started"


# -- converters and codes


class Hidden(PayloadCodec):
    """No cipher, but nobody reads it by chance."""

    async def encode(self, payloads: list[Payload]) -> list[Payload]:  # type: ignore[override]
        return [
            Payload(metadata={"encoding": b"binary/hidden"}, data=each.SerializeToString()[::-1]) for each in payloads
        ]

    async def decode(self, payloads: list[Payload]) -> list[Payload]:  # type: ignore[override]
        return [Payload.FromString(each.data[::-1]) for each in payloads]


class Broken(Hidden):
    async def encode(self, payloads: list[Payload]) -> list[Payload]:  # type: ignore[override]
        raise ConnectionError("the keys cannot be fetched")


hidden = DataConverter(payload_codec=Hidden())
broken = DataConverter(payload_codec=Broken())
ALLOWED = frozenset({__name__})


async def test_what_goes_to_workflows_and_comes_back_passes_the_converter_of_the_file() -> None:
    keys = {"data_converter": f"{__name__}:hidden", "imports": ALLOWED, "task_queue": "hidden"}
    async with working(task_queue="hidden", converter=hidden) as temporal:
        async with opened(**keys, wait="result") as adapter:
            sent = work(speed=171)
            found = await to_the_end(adapter, sent)
            assert found.result["result"]["got"]["args"] == {"speed": 171}
            failed = await to_the_end(adapter, work(fails=True))
            assert failed.reason.endswith("UnknownPlate: the plate is not known")
        history = await temporal.get_workflow_handle(sent.id).fetch_history()
        (payload,) = history.events[0].workflow_execution_started_event_attributes.input.payloads
        assert payload.metadata["encoding"] == b"binary/hidden"
        handle = await waiting_workflow(temporal, task_queue="hidden")
        keys = {"data_converter": keys["data_converter"], "imports": ALLOWED, "workflow_id": handle.id}
        await delivered(work(sum=40), **keys, operation="signal", signal="paid")
        assert (await handle.result())["paid"][0]["args"] == {"sum": 40}


async def test_a_converter_that_fails_is_tried_again() -> None:
    found = await delivered(work(), data_converter=f"{__name__}:broken", imports=ALLOWED)
    assert (found.verdict, found.status) == (Verdict.RETRY, "converter")
    assert found.reason.endswith("ConnectionError: the keys cannot be fetched")


def test_a_converter_must_be_allowed_and_be_one() -> None:
    path = f"{__name__}:hidden"
    assert "ORCHESTRATOR_ALLOW_IMPORTS" in refused(data_converter=path)
    assert "name a temporalio.converter.DataConverter" in refused(data_converter=f"{__name__}:ALLOWED", imports=ALLOWED)


@pytest.mark.parametrize("code", [each for each in RPCStatusCode if each is not RPCStatusCode.OK])
def test_every_code_of_a_server_has_a_meaning(code: RPCStatusCode) -> None:
    found = outcome_of(RPCError("so it is", code, b""))
    assert (found.verdict, found.reason, found.status) == (ANSWERS[code].verdict, f"{code.name}: so it is", code.name)
    assert found.retry_after == (BUSY if code is RPCStatusCode.RESOURCE_EXHAUSTED else None)


# -- what stands between


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A port that takes connections and says nothing."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def behind_tls(folder: Path) -> AsyncIterator[str]:
    """The shared server, for those who have a certificate of the authority in this folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass  # a client that is refused goes
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", shared().port)
        await asyncio.gather(copy(reader, behind[1]), copy(behind[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def connections(port: int) -> set[str]:
    """Inodes of this process's sockets that are connected to this port."""
    mine = set()
    for each in Path("/proc/self/fd").iterdir():
        try:
            mine.add(os.readlink(each).removeprefix("socket:[").removesuffix("]"))
        except FileNotFoundError:
            pass  # the one that listed them
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    established = {row[9] for row in rows if row[3] == "01" and row[2].endswith(f":{port:04X}")}
    return mine & established
