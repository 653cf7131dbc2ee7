"""A TCP proxy that loses answers: what is asked reaches the server, what it answers does not come back."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Listens on `port` of the loopback. While `losing` counts, so many connections lose the next answer and end."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._losing = 0
        self._trigger = b""
        self.lost = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, times: int, asked: bytes) -> None:
        """The next answers to requests that contain this."""
        with self._lock:
            self._losing, self._trigger = times, asked

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:  # it is away
                client.close()
                continue
            link = _Link(self, client, server)
            for work in (link.ask, link.answer):
                threading.Thread(target=work, daemon=True).start()

    def loses(self, asked: bytes) -> bool:
        with self._lock:
            if self._losing and self._trigger in asked:
                self._losing -= 1
                self.lost += 1
                return True
            return False


class _Link:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._lost = False

    def ask(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(1 << 20):
                self._lost = self._lost or self._proxy.loses(data)
                self._server.sendall(data)
        self._end()

    def answer(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(1 << 20):
                if self._lost:
                    break
                self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        for one in (self._client, self._server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
