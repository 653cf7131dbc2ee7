"""One mail for each command, by a connection of its own.

`Message-ID` is made of the command's id, so a mail that is sent again is the same mail: many mailboxes show it once,
and those who read it can tell. SMTP itself promises nothing of that kind. aiosmtplib, not smtplib in a thread: an
attempt that is cancelled or out of time closes its socket, where a thread would go on sending.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import aiosmtplib

from adapters.template import Template, TemplateError
from adapters.work import Outcome, Verdict, Work


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    host: str
    port: int
    tls: str
    login: tuple[str, str] | None = field(repr=False)
    sender: str
    to: Template
    subject: Template
    text: Template
    timeout: float


class SmtpAdapter:
    def __init__(self, options: SmtpOptions) -> None:
        self._options = options

    async def deliver(self, work: Work) -> Outcome:
        try:
            message = self._message(work)
        except (TemplateError, ValueError) as error:
            return Outcome(Verdict.FINAL, f"no mail can be made of it: {error}", status="message")
        try:
            async with asyncio.timeout(work.timeout or self._options.timeout):
                answer = await self._send(message)
        except TimeoutError:  # also aiosmtplib's
            return Outcome(Verdict.RETRY, "the server took too long", status="timeout")
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[0])
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error)
        except ssl.SSLError as error:
            return Outcome(Verdict.RETRY, f"no TLS: {error}", status="tls")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Outcome(Verdict.RETRY, f"no connection: {error}", status="connect")
        return Outcome(
            Verdict.DONE, result={"message_id": str(message["message-id"]), "answer": answer[:500]}, status="250"
        )

    async def preview(self, work: Work) -> Any:
        """For `orchestrator targets test --dry-run`."""
        message = self._message(work)
        return {name: str(value) for name, value in message.items()} | {"text": message.get_content()}

    async def close(self) -> None:
        """Nothing is held between two mails."""

    async def _send(self, message: EmailMessage) -> str:
        options = self._options
        client = aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            use_tls=options.tls == "implicit",
            start_tls=options.tls == "starttls",
            timeout=None,
        )
        try:
            await client.connect()
            if options.login is not None:
                await client.login(*options.login)
            _, answer = await client.send_message(message)
        finally:
            client.close()
        return answer

    def _message(self, work: Work) -> EmailMessage:
        """Raises TemplateError, and ValueError for a text that no header can hold, such as one with a line break."""
        command, options = json.loads(work.body), self._options
        message = EmailMessage()
        message["message-id"] = f"<{work.id}@{options.sender.rpartition('@')[2]}>"
        message["from"] = options.sender
        message["to"] = options.to.render(command)
        message["subject"] = options.subject.render(command)
        message.set_content(options.text.render(command))
        if len(message["to"].addresses) != 1:
            raise ValueError("`to` is not one address")
        return message


def _refused(error: aiosmtplib.SMTPResponseException) -> Outcome:
    """4xx is for now, 5xx for good (RFC 5321, 4.2.1)."""
    verdict = Verdict.RETRY if error.code < 500 else Verdict.FINAL
    return Outcome(verdict, f"the server answered {error.code}: {error.message[:500]}", status=str(error.code))
