"""The ports that a server would listen on."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from typing import Final

from orchestrator.doctor.finding import Finding
from orchestrator.settings import Settings

PATIENCE: Final = 2.0
"""Seconds that whoever listens there has to say who it is."""


def http(settings: Settings) -> Iterator[Finding]:
    yield from _port("port", settings.host, settings.port, "/health", b'"status"', "--port, ORCHESTRATOR_PORT")


def metrics(settings: Settings) -> Iterator[Finding]:
    yield from _port(
        "metrics port",
        settings.host,
        settings.metrics_port,
        "/metrics",
        b"orchestrator_",
        "--metrics-port, METRICS_PORT",
    )


def _port(what: str, host: str, port: int, path: str, sign: bytes, setting: str) -> Iterator[Finding]:
    if port == 0:
        yield Finding(what, "ok", "a free one is picked")
        return
    where = f"{host}:{port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError:
        yield Finding(what, "fail", f"{where} may not be used by this user", f"choose one above 1023 ({setting})")
    except OSError as error:
        if _ours(host, port, path, sign):
            yield Finding(what, "ok", f"{where} is taken by an orchestrator that runs already")
        else:
            said = f"{where} cannot be listened on: {error.strerror or error}"
            yield Finding(what, "fail", said, f"end what listens there, or choose another port ({setting})")
    else:
        yield Finding(what, "ok", f"{where} is free")


def _ours(host: str, port: int, path: str, sign: bytes) -> bool:
    named = f"[{host}]" if ":" in host else host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{named}:{port}{path}", timeout=PATIENCE) as answer:
            return sign in answer.read(1 << 20)
    except (OSError, ValueError):
        return False
