"""The kind `smtp` passes what is asked of every kind, against a real server of mail."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from email import message_from_bytes
from types import MappingProxyType
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from adapters.testing import DeliveryConformance, OtherEnd

PASSWORD = "a password that nobody may see"


class MailServer(OtherEnd):
    secrets = MappingProxyType({"env:MAIL_PASSWORD": PASSWORD})

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self._seconds = 0.0
        self._refusing = False
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._server = Controller(
            self,
            hostname="127.0.0.1",
            port=self._port,
            authenticator=lambda server, session, envelope, mechanism, login: AuthResult(
                success=login.password == PASSWORD.encode()
            ),
            auth_require_tls=False,
        )
        self._server.start()
        self._open = True

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content))
        ends, refusing = time.monotonic() + self._seconds, self._refusing
        while time.monotonic() < ends and self._seconds:  # noqa: ASYNC110 - `delay` is called from another thread
            await asyncio.sleep(0.02)
        return f"550 not for you, who say {PASSWORD}" if refusing else "250 OK"

    def target(self) -> dict[str, Any]:
        return {
            "kind": "smtp",
            "server": f"127.0.0.1:{self._port}",
            "tls": "none",
            "login": {"user": "orchestrator", "password": "env:MAIL_PASSWORD"},
            "sender": "orders@example.org",
            "to": "${command.args.to}",
            "subject": "${command.args.subject}",
            "text": "For ${command.key}.",
        }

    def args(self, number: int) -> dict[str, Any]:
        return {"to": f"customer-{number}@example.org", "subject": f"Order {number}"}

    def received(self) -> list[str]:
        return [mail["message-id"].strip("<>").partition("@")[0] for mail in self.mails]

    def delay(self, seconds: float) -> None:
        self._seconds = seconds

    def refuse(self, refusing: bool) -> None:
        self._refusing = refusing

    def vanish(self) -> None:
        if self._open:
            self._open = False
            self._seconds = 0
            self._server.stop()


class TestSmtp(DeliveryConformance):
    @pytest.fixture
    def end(self) -> Iterator[OtherEnd]:
        server = MailServer()
        yield server
        server.vanish()
