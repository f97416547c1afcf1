"""Talk with the dialogues before login, without any socket."""

from collections.abc import Iterable
from typing import TypeVar

from l7lb_protocols.imap.client_side import ImapClientSide
from l7lb_protocols.imap.server_side import ImapServerSide
from l7lb_protocols.login.client_side import ClientSettings, ClientSide, Peer
from l7lb_protocols.login.events import Event, KeysWanted, LoggedIn, Send, StartTls
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerLogin, ServerSettings, ServerSide
from l7lb_protocols.pop3.client_side import Pop3ClientSide
from l7lb_protocols.pop3.server_side import Pop3ServerSide
from l7lb_protocols.sasl.keys import ScramKeys

Kind = TypeVar("Kind")

IMAP, POP3 = "imap", "pop3"
ALL_MECHANISMS = (b"SCRAM-SHA-256", b"PLAIN", b"LOGIN", b"EXTERNAL")
KEYS = ScramKeys.derive(b"pencil", b"salt")
NONCE = b"n" * 18
SETTINGS = ClientSettings(ALL_MECHANISMS, starttls=True)
TLS = Peer(is_tls=True)
CLEAR = Peer()


def sent(events: Iterable[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Send))


def only(events: Iterable[Event], kind: type[Kind]) -> Kind:
    """The one event of its kind."""
    (found,) = (event for event in events if isinstance(event, kind))
    return found


def kinds(events: Iterable[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def client(
    protocol: str = IMAP,
    peer: Peer = TLS,
    settings: ClientSettings = SETTINGS,
    *,
    greet: bool = True,
) -> ClientSide:
    made = {IMAP: ImapClientSide, POP3: Pop3ClientSide}[protocol](settings, peer)
    if greet:
        made.greet()
    return made


def server(
    protocol: str = IMAP,
    login: ServerLogin | None = None,
    settings: ServerSettings | None = None,
    origin: Origin | None = None,
) -> ServerSide:
    kind = {IMAP: ImapServerSide, POP3: Pop3ServerSide}[protocol]
    return kind(settings or ServerSettings(introduce=False), login, origin)


def chain(near: ServerSide, far: ClientSide, secret_ok: bool = True) -> list[Event]:
    """The director's server side talks to a director's client side; returns the former's events
    that are no Send. The far one lets in whoever comes."""
    heard, to_near = list[Event](), sent(far.greet())
    for _ in range(20):
        events = near.receive(to_near)
        heard += [event for event in events if not isinstance(event, Send)]
        answers = far.receive(sent(events)) if sent(events) else []
        to_near = sent(answers)
        for event in answers:
            if type(event).__name__ == "Credentials" and secret_ok:
                to_near += sent(far.accept(LoggedIn(b"in")))
            elif isinstance(event, KeysWanted):
                to_near += sent(far.supply(KEYS, NONCE))
            elif isinstance(event, StartTls):
                heard += near.receive(to_near)
                far.tls_started()
                to_near = far_hears(near, far)
        if near.is_over or not to_near:
            return heard
    raise AssertionError("no end")


def far_hears(near: ServerSide, far: ClientSide) -> bytes:
    return sent(far.receive(sent(near.tls_started())))
