"""SMTP and LMTP (RFC 5321, RFC 2033) by aiosmtpd: recipients are looked up, messages delivered.

Owns the answers. 250 means that the message is on the disk. LMTP answers for each recipient; SMTP
has one answer, so unless all have the message it is 451 and the client sends it once more, which
can give some recipients a second copy but none of them none. Must not know files or locks.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from email.utils import formatdate
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from l7lb.accounts import Status
from l7lb.errors import DirectoryError, MailboxError
from l7lb.mailserver.message import to_wire
from l7lb.mailserver.services import Services

LOG = logging.getLogger(__name__)
RECIPIENTS = 100
"""Of one message; RFC 5321 §4.5.3.1.8 wants so many."""
IDLE_S = 300.0
OK = "250 2.0.0 Ok"


class Handler:
    """aiosmtpd's hooks; one for each connection."""

    def __init__(self, services: Services, *, is_lmtp: bool) -> None:
        self._services = services
        self._is_lmtp = is_lmtp
        self._accounts: list[tuple[str, str]] = []
        """Account and address of each recipient, in order."""

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name; five arguments are its newer form
        self, _server: SMTP, session: Session, _envelope: Envelope, name: str, answers: list[str]
    ) -> list[str]:
        session.host_name = name
        return [*answers[:-1], "250-PIPELINING", answers[-1]]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._accounts.clear()
        envelope.mail_from = address or "<>"  # aiosmtpd takes an empty one for none
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(self._accounts) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        try:
            account = await self._services.door.directory.recipient(address)
        except DirectoryError as error:
            LOG.warning("recipient: %s", error)
            return "451 4.4.3 The directory cannot be asked now"
        if account is None:
            return "550 5.1.1 No such mailbox"
        if account.status is not Status.ACTIVE:
            return "550 5.2.1 The mailbox is disabled"
        self._accounts.append((account.name, address))
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_RSET(  # noqa: N802
        self, _server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        self._accounts.clear()
        return OK

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        found, self._accounts = self._accounts, []
        content = envelope.original_content or b""
        answers = await asyncio.gather(
            *(self._deliver(one, address, session, envelope, content) for one, address in found)
        )
        if self._is_lmtp:
            return "\r\n".join(answers)
        return next((each for each in answers if each != OK), OK)

    async def handle_exception(self, error: Exception) -> str:
        LOG.error("SMTP session", exc_info=error)
        return "451 4.3.0 Internal error"

    async def _deliver(
        self, account: str, address: str, session: Session, envelope: Envelope, content: bytes
    ) -> str:
        head = self._head(address, session, envelope)
        try:
            await self._services.deliverer.deliver(account, head + to_wire(content))
        except MailboxError as error:
            return f"451 4.2.0 {error}"
        return OK

    def _head(self, address: str, session: Session, envelope: Envelope) -> bytes:
        """Return-Path and Received (RFC 5321 §4.4). What the client wrote is held to one line by
        aiosmtpd, and to characters that end no comment here."""
        sender = (envelope.mail_from or "").strip("<>")
        said = session.host_name or "?"
        name = "".join(sign for sign in said if sign.isalnum() or sign in ".-:[]")
        peer = session.peer[0] if session.peer else "?"
        kind = "LMTP" if self._is_lmtp else "ESMTP"
        lines = [
            f"Return-Path: <{sender}>",
            f"Delivered-To: {address}",
            f"Received: from {name} ([{peer}])",
            f"\tby {self._services.spec.name} with {kind}; {formatdate()}",
            "",
        ]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")


class _Counted:
    """At most so many connections; one more is told to come later."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open: set[asyncio.BaseTransport] = set()

    def add(self, transport: asyncio.BaseTransport) -> bool:
        if len(self.open) >= self.limit:
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(b"421 4.3.2 Too many connections\r\n")
            transport.close()
            return False
        self.open.add(transport)
        return True


def factory(services: Services, *, is_lmtp: bool) -> tuple[_Counted, Any]:
    """The connections, and what makes a protocol for `loop.create_server`."""
    counted = _Counted(services.spec.sessions)
    kind: type[SMTP] = LMTP if is_lmtp else SMTP

    class Counting(kind):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            if counted.add(transport):
                super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            if self.session is not None:
                counted.open.discard(self.transport)
                super().connection_lost(error)

        def eof_received(self) -> bool | None:
            return super().eof_received() if self.session is not None else False

        def data_received(self, data: bytes) -> None:
            if self.session is not None:
                super().data_received(data)

    def make() -> SMTP:
        return Counting(
            Handler(services, is_lmtp=is_lmtp),
            data_size_limit=services.spec.message_bytes,
            enable_SMTPUTF8=True,
            hostname=socket.gethostname(),
            ident="l7lb mail server",
            timeout=IDLE_S,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )

    return counted, make
