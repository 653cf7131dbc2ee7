"""Addresses where a server listens: its own, or one that the processes of one parent share.

Several processes listen on one port with SO_REUSEPORT, and the system spreads connections over them. Another parent of
the same user could join such a port by mistake; so each makes sure that nobody listens there, and marks it as its own.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from typing import Final

from aiohttp import web

UNREAD: Final = 30.0


async def listen(runner: web.AppRunner, host: str, port: int, setting: str, *, shared: bool = False) -> str:
    """The address. `shared`: a parent holds the port. Raises OSError that names the setting."""
    await runner.setup()
    options = [socket.SO_REUSEADDR, *([socket.SO_REUSEPORT] if shared else [])]
    try:
        for family, place in _addresses(host, port):
            made = _bound(family, place, *options)
            _give_up(made)
            await web.SockSite(runner, made).start()
    except OSError as error:
        raise _refused(setting, host, port, error) from error
    return _url(runner.addresses[0])


def bound(host: str, setting: str) -> socket.socket:
    """Any port of this address, to listen at later. Raises OSError that names the setting."""
    try:
        family, place = _addresses(host, 0)[0]
        made = _bound(family, place, socket.SO_REUSEADDR)
    except OSError as error:
        raise OSError(f"{setting}={host}: {error.strerror}; choose an address of this machine") from error
    _give_up(made)
    return made


def address(listening: socket.socket) -> str:
    return _url(listening.getsockname())


def _url(place: tuple[str, int]) -> str:
    host, port = place[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class SharedPort:
    """Holds a port, without listening, for processes that do. Raises OSError that names the setting."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        self.port = port
        """If it was 0, the one that was picked."""
        self._held = ExitStack()
        try:
            for family, address in _addresses(host, port):
                place = (address[0], self.port, *address[2:])
                with _bound(family, place, socket.SO_REUSEADDR) as alone:
                    alone.listen()
                    place = (address[0], alone.getsockname()[1], *address[2:])
                held = self._held.enter_context(_bound(family, place, socket.SO_REUSEADDR, socket.SO_REUSEPORT))
                self.port = held.getsockname()[1]
                self._held.enter_context(_marked(f"{address[0]}:{self.port}"))
        except OSError as error:
            self.close()
            raise _refused(setting, host, port, error) from error

    def close(self) -> None:
        self._held.close()


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int, int, int] | tuple[str, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))  # type: ignore[misc]


def _bound(family: socket.AddressFamily, address: tuple[object, ...], *options: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            made.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


def _give_up(listening: socket.socket) -> None:
    """Connections that it accepts end when their client takes nothing for UNREAD seconds of what it was sent. Nothing
    else would end them: an answer that nobody reads is waited for, and closing a connection waits for it, too."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNREAD * 1000))


def _marked(name: str) -> socket.socket:
    """A name that one process has until it ends, within the same network as the port that it stands for. Two parents
    whose children do not listen yet meet here."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        made.bind(f"\0orchestrator:{name}".encode())
    except BaseException:
        made.close()
        raise
    return made


def _refused(setting: str, host: str, port: int, error: OSError) -> OSError:
    return OSError(f"{setting}={port} on {host}: {os.strerror(error.errno or 0)}; choose another, or 0")
