"""A server that speaks just enough IMAP to be logged in at, and nonsense where a test wants it."""

from __future__ import annotations

import asyncio
from typing import Self

GREETING = b"* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN SASL-IR] ready\r\n"


class ImapScript:
    """`greeting` comes first (empty: nothing ever); `login` answers a login, `{tag}` in it is the
    client's; after a login each line is echoed."""

    def __init__(self, greeting: bytes = GREETING, login: bytes = b"{tag} OK in\r\n") -> None:
        self.greeting = greeting
        self.login = login
        self.logins: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def sessions(self) -> int:
        return len(self._writers)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """As if it had been killed."""
        for writer in [*self._writers]:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            writer.write(self.greeting)
            while line := await reader.readline():
                writer.write(self._answer(line))
                if line.rstrip().upper().endswith(b" LOGOUT"):
                    break
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> bytes:
        tag, _, rest = line.rstrip().partition(b" ")
        verb = rest.partition(b" ")[0].upper()
        if verb == b"CAPABILITY":
            return b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN SASL-IR\r\n" + tag + b" OK\r\n"
        if verb in {b"ID", b"NOOP"}:
            return tag + b" OK\r\n"
        if verb in {b"LOGIN", b"AUTHENTICATE"}:
            self.logins.append(rest)
            return self.login.replace(b"{tag}", tag)
        if verb == b"LOGOUT":
            return b"* BYE\r\n" + tag + b" OK\r\n"
        return b"* " + line
