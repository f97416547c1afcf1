"""What differs between IMAP and POP3 for the session that lets clients in: its dialogues, its port.

Must not know sockets, pools or accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l7lb_protocols.imap import capabilities as imap_capabilities
from l7lb_protocols.imap.client_side import ImapClientSide
from l7lb_protocols.imap.server_side import ImapServerSide
from l7lb_protocols.login.client_side import ClientSettings, ClientSide, Peer
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerLogin, ServerSettings, ServerSide
from l7lb_protocols.pop3 import capabilities as pop3_capabilities
from l7lb_protocols.pop3.client_side import Pop3ClientSide
from l7lb_protocols.pop3.server_side import Pop3ServerSide

Words = tuple[tuple[bytes, bytes], ...]
"""What a client's program says of itself (RFC 2971)."""
PRODUCT: Words = ((b"name", b"l7lb"),)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the two protocols."""

    name: str
    """Also of its port at a server."""
    method: bytes
    """In the access log."""
    is_exclusive: bool
    """One session at a time has the mailbox (RFC 1939 §8)."""
    to_client: Callable[[ClientSettings, Peer], ClientSide]
    to_server: Callable[[ServerSettings, ServerLogin | None, Origin, Words], ServerSide]
    common: Callable[[Sequence[tuple[bytes, ...]]], tuple[bytes, ...]]
    """What all of several servers can."""


def _imap_client(settings: ClientSettings, peer: Peer) -> ClientSide:
    return ImapClientSide(settings, peer, product=PRODUCT)


def _pop3_server(
    settings: ServerSettings,
    login: ServerLogin | None,
    origin: Origin,
    words: Words,  # noqa: ARG001 - POP3 has no ID
) -> ServerSide:
    return Pop3ServerSide(settings, login, origin)


IMAP = Dialect("imap", b"IMAP", False, _imap_client, ImapServerSide, imap_capabilities.intersect)
POP3 = Dialect("pop3", b"POP3", True, Pop3ClientSide, _pop3_server, pop3_capabilities.intersect)
