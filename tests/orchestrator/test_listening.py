"""A port that the processes of one parent share, and nobody else can have."""

import asyncio
import socket

import pytest
from aiohttp import ClientSession, TCPConnector, web

from orchestrator import listening
from orchestrator.listening import SharedPort, listen


def runner(name: str) -> web.AppRunner:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=name)

    app = web.Application()
    app.router.add_get("/", hello)
    return web.AppRunner(app)


async def test_requests_reach_more_than_one_of_those_that_share_a_port() -> None:
    port = SharedPort("127.0.0.1", 0, "--port")
    runners = [runner("a"), runner("b")]
    try:
        addresses = {await listen(each, "127.0.0.1", port.port, "--port", shared=True) for each in runners}
        assert addresses == {f"http://127.0.0.1:{port.port}"}
        answers: set[str] = set()
        async with asyncio.timeout(30), ClientSession(connector=TCPConnector(force_close=True)) as session:
            while answers != {"a", "b"}:
                async with session.get(addresses.copy().pop()) as answer:
                    answers.add(await answer.text())
    finally:
        for each in runners:
            await each.cleanup()
        port.close()


async def test_a_port_on_which_somebody_listens_cannot_be_shared() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"--port={port} on 127.0.0.1: Address already in use; choose another, or 0"):
            SharedPort("127.0.0.1", port, "--port")


async def test_a_port_that_a_parent_holds_for_its_children_is_no_other_parents_until_it_ends() -> None:
    port = SharedPort("127.0.0.1", 0, "--port")
    try:
        with pytest.raises(OSError, match=f"--port={port.port} on 127.0.0.1: Address already in use"):
            SharedPort("127.0.0.1", port.port, "--port")
    finally:
        port.close()
    SharedPort("127.0.0.1", port.port, "--port").close()


async def test_nobody_connects_to_a_port_that_is_only_held() -> None:
    port = SharedPort("127.0.0.1", 0, "--port")
    try:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port.port)
    finally:
        port.close()


async def test_a_name_with_several_addresses_has_the_same_port_on_each() -> None:
    found = {each[4][0] for each in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    port = SharedPort("localhost", 0, "--port")
    try:
        for address in found:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family) as other, pytest.raises(OSError, match="in use"):
                other.bind((address, port.port))
    finally:
        port.close()


async def test_a_client_that_does_not_read_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "UNREAD", 0.5)
    closed = asyncio.Event()

    async def much(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 100_000)
        except ConnectionError:
            closed.set()
        return response

    app = web.Application()
    app.router.add_get("/", much)
    runner = web.AppRunner(app)
    try:
        address = await listen(runner, "127.0.0.1", 0, "--port")
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(20):
                await closed.wait()
    finally:
        await runner.cleanup()
