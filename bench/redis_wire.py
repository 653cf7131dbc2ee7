"""Redis by hand: a socket, hiredis to pack and to parse, and nothing between. Commands may be sent ahead of answers."""

from __future__ import annotations

import socket
from typing import Any

import hiredis

from bench.redis_server import HOST

LONGEST = 60.0
"""Seconds that an answer may take."""
RECEIVE = 1 << 18

Argument = str | int | float | bytes | memoryview


class Wire:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=LONGEST)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()

    def send(self, *arguments: Argument) -> None:
        self._socket.sendall(hiredis.pack_command(arguments))

    def receive(self) -> Any:
        while (answer := self._reader.gets()) is False:
            data = self._socket.recv(RECEIVE)
            if not data:
                raise ConnectionError("Redis closed the connection")
            self._reader.feed(data)
        if isinstance(answer, hiredis.ReplyError):
            raise answer
        return answer

    def call(self, *arguments: Argument) -> Any:
        self.send(*arguments)
        return self.receive()

    def close(self) -> None:
        self._socket.close()
