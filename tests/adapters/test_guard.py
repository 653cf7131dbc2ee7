"""What may be called: every address in whatever spelling, checked at the socket, so that names cannot lie."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from aiohttp import web

from adapters.targets.webhook.adapter import WebhookAdapter, WebhookOptions
from adapters.targets.webhook.guard import RefusedAddressError, check_address, parse_network
from adapters.work import Outcome, Verdict, Work
from tests.adapters.receiver import receiving

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254"),
    *("100.64.0.1", "0.0.0.0", "0.1.2.3", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fe80::1%lo", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:0:0:0:0:f5ff:fffe", "100::1"),
    *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "2001:0:4136:e378:8000:63bf:5601:5601"),
    *("fe80::a9fe:a9fe%eth0", "::1%1", "::ffff:0:0", "64:ff9b::", "2002::1", "ff05::2", "2001:10::1", "168.63.129.16"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddressError, match="not public and not in `allow`"):
        check_address(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_called(address: str) -> None:
    check_address(address, ())


def test_what_is_allowed_may_be_called_and_its_neighbour_not() -> None:
    allow = [parse_network("10.1.0.0/16"), parse_network("fd00::/64")]
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::5"):
        check_address(address, allow)
    for address in ("10.2.0.1", "::ffff:10.2.0.1", "fd00:0:0:1::5", "127.0.0.1"):
        with pytest.raises(RefusedAddressError):
            check_address(address, allow)


async def attempt(url: str, *allow: str) -> Outcome:
    options = WebhookOptions(url, allow=tuple(map(parse_network, allow)), timeout=5.0, now=lambda: 0)
    webhook = WebhookAdapter(options)
    try:
        return await webhook.deliver(Work("c1", 1, "police", b"{}", 0, 0))
    finally:
        await webhook.close()


SPELLINGS = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.1", "2130706433", "0177.0.0.1"]


@pytest.mark.parametrize("host", [*SPELLINGS, "0x7f.0.0.1", "0x7f000001", "0.0.0.0", "LOCALHOST"])
async def test_no_spelling_of_our_own_address_reaches_it(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        found = await attempt(f"http://{host}:{port}/")
        assert receiver.requests == []
    assert found.verdict is Verdict.FINAL, found


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[fe80::1%25lo]", "[64:ff9b::a9fe:a9fe]"]
)
async def test_no_metadata_of_a_machine_is_asked_for_and_the_command_is_parked(host: str) -> None:
    found = await attempt(f"http://{host}/latest/meta-data/")
    assert (found.verdict, found.status) == (Verdict.FINAL, "refused-address")
    assert found.reason.startswith("refused to connect: address ")


async def test_a_redirect_to_an_address_that_may_not_be_called_is_not_followed() -> None:
    async with receiving() as receiver, receiving("127.0.0.2") as secret:
        receiver.answer = lambda number, request: web.Response(status=307, headers={"location": secret.url})
        found = await attempt(receiver.url, "127.0.0.1/32")
    assert (found.verdict, found.status, secret.requests) == (Verdict.FINAL, "307", [])


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["127.0.0.1", "::1"], ["169.254.169.254", "192.168.1.1"]])
async def test_a_name_that_resolves_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    _resolve(monkeypatch, lambda number: addresses)
    found = await attempt("http://innocent.example/")
    assert found.verdict is Verdict.FINAL
    assert "not public and not in `allow`" in found.reason


async def test_a_name_that_changes_its_address_is_checked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allowed the first time; then it is rebound to a server that listens just there."""
    async with receiving("127.0.0.2") as allowed, receiving("127.0.0.1") as secret:
        port = int(allowed.url.split(":")[2].split("/")[0])
        _resolve(monkeypatch, lambda number: ["127.0.0.2"] if number == 1 else ["127.0.0.1"])
        options = WebhookOptions(
            f"http://innocent.example:{port}/", allow=(parse_network("127.0.0.2/32"),), timeout=5.0, now=lambda: 0
        )
        webhook = WebhookAdapter(options)
        allowed.answer = lambda number, request: _closing()
        first = await webhook.deliver(Work("c1", 1, "police", b"{}", 0, 0))
        second = await webhook.deliver(Work("c2", 1, "police", b"{}", 0, 0))
        await webhook.close()
    assert (first.verdict, second.verdict) == (Verdict.DONE, Verdict.FINAL)
    assert (len(allowed.requests), secret.requests) == (1, [])


async def test_what_is_refused_only_in_part_reaches_only_the_other_part(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        _resolve(monkeypatch, lambda number: ["10.0.0.1", "127.0.0.1"])
        found = await attempt(f"http://innocent.example:{port}/", "127.0.0.1/32")
        assert len(receiver.requests) == 1
    assert found.verdict is Verdict.DONE


def _closing() -> Any:
    return web.Response(headers={"connection": "close"})


def _resolve(monkeypatch: pytest.MonkeyPatch, addresses: Any) -> None:
    """The system's resolver says `addresses(n)` the nth time."""
    asked = 0

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> list[Any]:
        nonlocal asked
        asked += 1
        found = []
        for address in addresses(asked):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            place = (address, port, 0, 0) if ":" in address else (address, port)
            found.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place))
        return found

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
