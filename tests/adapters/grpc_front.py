"""Stands before a real gRPC server, in threads of its own: holds back its answers, refuses in its place, or is gone.

Where it refuses, the first request of a connection, with which Temporal's library asks what the server can do, is
answered with nothing, and each after it with an error of its own words.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

CHUNK = 1 << 16
LOOK = 0.02
"""Seconds between two looks at whether to hold back still."""
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PERMISSION_DENIED = 7


class GrpcFront:
    def __init__(self, server: str, error: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._error = error
        self._links: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.seconds = 0.0
        """By which answers come later."""
        self.refusing = False
        """Connections that are made from now on."""
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self, refusing: bool) -> None:
        self.refusing = refusing
        self._end_links()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # or the port takes connections until `accept` is back
        self._listening.close()
        self._end_links()

    def _end_links(self) -> None:
        for link in list(self._links):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = self._listening.accept()
                self._links.add(client)
                if self.refusing:
                    threading.Thread(target=self._refuse, args=(client,), daemon=True).start()
                    continue
                server = socket.create_connection(self._server)
                self._links.add(server)
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(CHUNK):
                began = time.monotonic()
                while answers and time.monotonic() < began + self.seconds:
                    time.sleep(LOOK)
                other.sendall(data)
        for link in (one, other):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._links.discard(one)
        one.close()

    def _refuse(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.sendall(_frame(SETTINGS))
            for kind, flags, stream, payload in _frames(client):
                if kind in (SETTINGS, PING) and not flags & ACK:
                    client.sendall(_frame(kind, payload if kind == PING else b"", ACK))
                elif kind == DATA and flags & END_STREAM:
                    client.sendall(_empty_answer(stream) if stream == 1 else self._refusal(stream))
        self._links.discard(client)
        client.close()

    def _refusal(self, stream: int) -> bytes:
        said = {"grpc-status": str(PERMISSION_DENIED), "grpc-message": self._error}
        return _frame(HEADERS, _headers(said), END_STREAM | END_HEADERS, stream)


def _empty_answer(stream: int) -> bytes:
    return (
        _frame(HEADERS, _headers({}), END_HEADERS, stream)
        + _frame(DATA, bytes(5), 0, stream)
        + _frame(HEADERS, _literals({"grpc-status": "0"}), END_STREAM | END_HEADERS, stream)
    )


def _headers(more: dict[str, str]) -> bytes:
    ok = b"\x88"  # `:status: 200`, as the static table of HPACK has it
    return ok + _literals({"content-type": "application/grpc"} | more)


def _literals(fields: dict[str, str]) -> bytes:
    """HPACK: not compressed, and remembered by nobody."""
    found = b""
    for field in fields.items():
        found += b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in field)
    return found


def _frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _frames(client: socket.socket) -> Iterator[tuple[int, int, int, bytes]]:
    with client.makefile("rb") as file:
        file.read(24)  # the preface
        while len(head := file.read(9)) == 9:
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            yield kind, flags, stream, file.read(int.from_bytes(head[:3], "big"))
