"""Service extensions: what a server says, what may be promised, what must be left out.

A director promises a client only what every server of the pool can keep (SIZE, 8BITMIME, SMTPUTF8,
DSN), and adds what ends at the director itself (PIPELINING, ENHANCEDSTATUSCODES, STARTTLS, AUTH,
XCLIENT). It must not know pools or connections.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.parameters import (
    MailParameters,
    Recipient,
    RecipientParameters,
    Sender,
)
from l7lb_protocols.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class Extensions:
    """One side's word. `size`: None: not offered; 0: offered without a limit (RFC 1870 §4)."""

    pipelining: bool = False
    size: int | None = None
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    enhanced: bool = False
    starttls: bool = False
    auth: frozenset[bytes] = frozenset()
    xclient: frozenset[bytes] = frozenset()


NONE = Extensions()
EVERYTHING = Extensions(size=0, eight_bit=True, smtputf8=True, dsn=True)
"""Of what must be kept by servers: the bound where no server is known yet."""

_FLAGS = {
    b"PIPELINING": "pipelining",
    b"8BITMIME": "eight_bit",
    b"SMTPUTF8": "smtputf8",
    b"DSN": "dsn",
    b"ENHANCEDSTATUSCODES": "enhanced",
    b"STARTTLS": "starttls",
}


def parse_extensions(hello: Reply) -> Extensions:
    """The keywords of a positive EHLO or LHLO reply (RFC 5321 §4.1.1.1).

    What is unknown or malformed is not offered: nothing raises.
    """
    found = NONE
    auth: set[bytes] = set()
    xclient: set[bytes] = set()
    size: int | None = None
    for line in hello.lines[1:]:
        words = line.upper().replace(b"AUTH=", b"AUTH ").split()
        keyword = words[0] if words else b""
        if keyword in _FLAGS:
            found = replace(found, **{_FLAGS[keyword]: True})  # type: ignore[arg-type]
        elif keyword == b"SIZE":
            size = _size(words[1:])
        elif keyword == b"AUTH":
            auth.update(words[1:])
        elif keyword == b"XCLIENT":
            xclient.update(words[1:])
    return replace(found, size=size, auth=frozenset(auth), xclient=frozenset(xclient))


def _size(words: list[bytes]) -> int:
    return int(words[0]) if words and words[0].isdigit() and len(words[0]) <= 20 else 0


def kept_by_all(servers: Iterable[Extensions]) -> Extensions:
    """What each of the servers can keep; EVERYTHING when there is none to ask."""
    kept = EVERYTHING
    for server in servers:
        kept = Extensions(
            size=_smaller(kept.size, server.size),
            eight_bit=kept.eight_bit and server.eight_bit,
            smtputf8=kept.smtputf8 and server.smtputf8,
            dsn=kept.dsn and server.dsn,
        )
    return kept


def _smaller(one: int | None, other: int | None) -> int | None:
    """A server without SIZE may have a limit all the same, and says so only at the end."""
    limits = [size for size in (one, other) if size]
    return min(limits) if limits else 0


@dataclass(frozen=True, slots=True)
class Own:
    """What the director itself adds. `auth` and `starttls` depend on the state of a connection:
    the session leaves them out where they may not be used."""

    max_bytes: int = 0
    starttls: bool = False
    auth: frozenset[bytes] = frozenset()
    xclient: frozenset[bytes] = frozenset()


def offer(kept: Extensions, own: Own) -> Extensions:
    """What may be advertised to clients: what servers keep, and what is ours to give."""
    return replace(
        kept,
        pipelining=True,
        enhanced=True,
        size=_smaller(kept.size, own.max_bytes),
        starttls=own.starttls,
        auth=own.auth,
        xclient=own.xclient,
    )


def keyword_lines(offered: Extensions) -> list[bytes]:
    """The lines of an EHLO reply after its first."""
    lines = [word for word, flag in _FLAGS.items() if getattr(offered, flag)]
    if offered.size is not None:
        lines.append(b"SIZE %d" % offered.size if offered.size else b"SIZE")
    if offered.auth:
        lines.append(b"AUTH " + b" ".join(sorted(offered.auth)))
    if offered.xclient:
        lines.append(b"XCLIENT " + b" ".join(sorted(offered.xclient)))
    return lines


def check_offered(sender: Sender, offered: Extensions) -> None:
    """Raises SmtpRefusal: 555 for a parameter whose extension was not offered, 552 for SIZE."""
    given = sender.parameters
    for used, promised, name in (
        (given.size is not None, offered.size is not None, "SIZE"),
        (given.body != b"", offered.eight_bit, "BODY"),
        (given.smtputf8, offered.smtputf8, "SMTPUTF8"),
        (given.ret + given.envid != b"", offered.dsn, "RET and ENVID"),
        (given.auth is not None, bool(offered.auth), "AUTH"),
    ):
        if used and not promised:
            raise SmtpRefusal(555, b"5.5.4", f"{name} was not offered", "RFC 5321 §4.1.1.11")
    if given.size and offered.size and given.size > offered.size:
        raise SmtpRefusal(552, b"5.3.4", "message too large", "RFC 1870 §6.1")


def check_recipient_offered(recipient: Recipient, offered: Extensions) -> None:
    """Raises SmtpRefusal(555)."""
    if recipient.parameters != RecipientParameters() and not offered.dsn:
        raise SmtpRefusal(555, b"5.5.4", "NOTIFY and ORCPT were not offered", "RFC 5321 §4.1.1.11")


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a message when it goes to a server. `size` None, `is_ascii` None: it is
    still coming."""

    size: int | None = None
    is_ascii: bool | None = None


COMING = Content()


def fit_sender(sender: Sender, server: Extensions, content: Content = COMING) -> Sender:
    """The sender as this server can take it.

    Left out when the server lacks them: SIZE, RET and ENVID (RFC 3461 §5.2.2 lets a director that
    is no MTA hand over without), AUTH, `BODY=8BITMIME` for a message that is known to be ASCII.
    Raises SmtpRefusal: 552 (SIZE), 554 5.6.3 (8-bit), 550 5.6.7 (SMTPUTF8 needed).
    """
    given = sender.parameters
    size = content.size if content.size is not None else given.size
    if size and server.size and size > server.size:
        raise SmtpRefusal(552, b"5.3.4", "message too large for its server", "RFC 1870 §6.1")
    fitted = MailParameters(
        size=size if server.size is not None else None,
        body=_fit_body(given.body, server, content),
        smtputf8=_fit_utf8(sender, server, content),
        ret=given.ret if server.dsn else b"",
        envid=given.envid if server.dsn else b"",
        auth=given.auth if server.auth else None,
    )
    return Sender(sender.address, fitted)


def _fit_body(body: bytes, server: Extensions, content: Content) -> bytes:
    if server.eight_bit:
        return body or (b"8BITMIME" if content.is_ascii is False else b"")
    if content.is_ascii or (content.is_ascii is None and body != b"8BITMIME"):
        return b""
    raise SmtpRefusal(554, b"5.6.3", "the server takes no 8-bit message", "RFC 6152 §3")


def _fit_utf8(sender: Sender, server: Extensions, content: Content) -> bool:
    """A message of ASCII alone with ASCII addresses needs no SMTPUTF8 (RFC 6531 §3.6)."""
    if not sender.parameters.smtputf8 or server.smtputf8:
        return sender.parameters.smtputf8
    if content.is_ascii and sender.address.is_ascii:
        return False
    raise SmtpRefusal(550, b"5.6.7", "the server takes no SMTPUTF8", "RFC 6531 §3.5")


def fit_recipient(recipient: Recipient, server: Extensions) -> Recipient:
    """The recipient as this server can take it. Raises SmtpRefusal(550 5.6.7)."""
    if not recipient.address.is_ascii and not server.smtputf8:
        raise SmtpRefusal(550, b"5.6.7", "the server takes no SMTPUTF8", "RFC 6531 §3.5")
    return recipient if server.dsn else Recipient(recipient.address)


def lost_reports(recipient: Recipient, server: Extensions) -> bool:
    """Whether the client asked for reports that this server cannot be asked for: whoever hands
    the message over must then report `relayed` itself if SUCCESS was asked (RFC 3461 §5.2.2)."""
    return b"SUCCESS" in recipient.parameters.notify and not server.dsn
