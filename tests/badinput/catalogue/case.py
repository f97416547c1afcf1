"""The shape of one entry: what is sent, and what must come of it.

Entries are data. Who sends them, and through what, stands in the tests beside this folder.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"www.example.org"
H = b"Host: www.example.org\r\n"
CLOSED = 0
"""In `refused`: a close without any answer will do, where nobody waits for one."""

NGINX, HAPROXY, AIOHTTP = "nginx", "haproxy", "aiohttp"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One request as every server behind must understand it."""

    method: bytes
    target: bytes
    body: bytes = b""
    host: bytes = HOST
    absent: tuple[bytes, ...] = ()
    """Fields (lower case), trailers included, that no server may get to see."""
    present: tuple[tuple[bytes, bytes], ...] = ()
    """Fields (lower case) with the value that must arrive."""


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes of a client. Each of `meanings` must arrive, in order, and nothing else."""

    name: str
    clause: str
    raw: bytes
    meanings: tuple[Meaning, ...] = ()
    refused: tuple[int, ...] = ()
    """After the meanings: one of these statuses, and a close. Empty: nothing is refused."""
    in_body: bool = False
    """The head is sound and may have gone on; no server may take what follows for a whole."""
    ends: bool = False
    """The client ends its side after the last byte."""
    declined_by: frozenset[str] = frozenset()
    """Servers that answer such a request with an error of their own: lawful, so they may."""
    by_policy: bool = False
    """Not a matter of parsing: a route or the session refuses it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response as the client must understand it."""

    status: int
    body: bytes = b""
    absent: tuple[bytes, ...] = ()
    present: tuple[tuple[bytes, bytes], ...] = ()
    interim: tuple[int, ...] = ()
    """Interim (1xx) statuses that come before it."""


@dataclass(frozen=True, slots=True)
class ResponseCase:
    """Bytes of a server, and what the client is told."""

    name: str
    clause: str
    raw: bytes
    answer: Answer | None
    """None: the answer had begun when the fault came, so it is broken off before its end."""
    method: bytes = b"GET"
    ends: bool = True
    """The server closes after the last byte."""
    fields: bytes = b""
    """Lines that the client's request has besides."""
    by_policy: bool = False
    """Not a matter of parsing a head: the session decides."""


BAD_GATEWAY = Answer(502)


def refuse(name: str, clause: str, raw: bytes, *statuses: int, **more: bool) -> Case:
    """An entry that is refused outright: 400 unless other statuses are given."""
    return Case(name, clause, raw, (), statuses or (400,), **more)


def field(line: bytes, start: bytes = b"GET / HTTP/1.1\r\n") -> bytes:
    """A request whose only peculiarity is one line after Host; `line` brings its own line end."""
    return start + H + line + b"\r\n"
