"""An other end that commands are posted to: remembers ids, and answers, late, with what was sent, or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from adapters.testing import OtherEnd

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "token-that-nobody-may-see"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # with fewer, many connections at once wait a second for each other


class HttpEnd(OtherEnd):
    secrets: Mapping[str, str] = MappingProxyType({"env:SECRET": SECRET, "env:TOKEN": TOKEN})

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._seconds = 0.0
        self._refusing = False
        end = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                end.handle(self, body)

            def log_message(self, *_: object) -> None: ...

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self._open = True

    def handle(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        found = json.loads(body)
        self._ids += [command["id"] for command in (found if isinstance(found, list) else [found])]
        refusing, ends = self._refusing, time.monotonic() + self._seconds
        while time.monotonic() < ends and self._seconds:
            time.sleep(0.02)
        said = repr({name.lower(): value for name, value in request.headers.items()}).encode() if refusing else b""
        try:
            request.send_response(400 if refusing else 200)
            request.send_header("content-length", str(len(said)))
            request.end_headers()
            request.wfile.write(said)
        except ConnectionError:
            pass  # nobody waits any more

    def target(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._server.server_port}/"
        return {
            "kind": "webhook",
            "url": url,
            "allow": ["127.0.0.1/32"],
            "secret": "env:SECRET",
            "auth": {"bearer": "env:TOKEN"},
        }

    def received(self) -> list[str]:
        return self._ids[:]

    def delay(self, seconds: float) -> None:
        self._seconds = seconds

    def refuse(self, refusing: bool) -> None:
        self._refusing = refusing

    def vanish(self) -> None:
        if self._open:
            self._open = False
            self._seconds = 0
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
