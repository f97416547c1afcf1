"""Command lines: verb and argument, and the lines that we send to servers.

It must not know in which order commands may come: `server_states` does.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import dataclass

from l7lb_protocols.smtp import grammar
from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.grammar import require_text
from l7lb_protocols.smtp.parameters import (
    Recipient,
    Sender,
    render_recipient,
    render_sender,
)

VERBS = frozenset(
    b"EHLO HELO LHLO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP STARTTLS AUTH XCLIENT".split()
)
REFUSED = frozenset(b"BDAT EXPN ETRN TURN SEND SOML SAML XFORWARD BURL".split())
"""Known, and answered 502: not implemented."""
FOREIGN = frozenset(b"GET POST PUT CONNECT HOST: USER-AGENT:".split())
"""A browser or proxy that was sent here by somebody else: nothing more is read."""
NO_ARGUMENT = frozenset(b"DATA RSET QUIT STARTTLS".split())


@dataclass(frozen=True, slots=True)
class Command:
    """`verb` in upper case, `argument` without the blanks around it."""

    verb: bytes
    argument: bytes = b""


def parse_command(line: bytes) -> Command:
    """One line without CRLF. Raises SmtpRefusal: 500 (no such command), 501 (argument), 502."""
    if not grammar.IS_TEXT(line):
        raise SmtpRefusal(500, b"5.5.2", "control character in a command", "RFC 5321 §4.1.1")
    word, _, argument = line.partition(b" ")
    verb = word.upper()
    argument = argument.strip(b" \t")
    if verb in REFUSED:
        raise SmtpRefusal(502, b"5.5.1", "command not implemented", "RFC 5321 §4.2.4")
    if verb in FOREIGN:
        raise SmtpRefusal(500, b"5.5.1", "this is not HTTP", "RFC 5321 §4.2.4", True)
    if verb not in VERBS:
        raise SmtpRefusal(500, b"5.5.1", "command not known", "RFC 5321 §4.2.4")
    if argument and verb in NO_ARGUMENT:
        raise SmtpRefusal(501, b"5.5.4", f"{verb.decode()} takes no argument", "RFC 5321 §4.1.1")
    return Command(verb, argument)


def parse_hello(argument: bytes) -> bytes:
    """The name of EHLO, HELO or LHLO (RFC 5321 §4.1.4). Raises SmtpRefusal(501).

    Names that are no domain are accepted, for many clients have no better one; what is not
    printable ASCII, or would break a Received line, is not.
    """
    if not argument:
        raise SmtpRefusal(501, b"5.5.4", "a name is wanted", "RFC 5321 §4.1.1.1")
    name = argument.split()[0]
    if not name.isascii() or len(name) > grammar.MAX_DOMAIN or set(name) & set(b'()<>"\\,;\t'):
        raise SmtpRefusal(501, b"5.5.4", "malformed name", "RFC 5321 §4.1.1.1")
    return name


def parse_auth(argument: bytes) -> tuple[bytes, bytes | None]:
    """(mechanism in upper case, initial response or None). Raises SmtpRefusal(501)."""
    words = argument.split(b" ")
    if not words[0] or len(words) > 2:
        raise SmtpRefusal(501, b"5.5.4", "malformed AUTH", "RFC 4954 §4")
    if len(words) == 1:
        return words[0].upper(), None
    return words[0].upper(), b"" if words[1] == b"=" else base64_decode(words[1])


def base64_decode(text: bytes) -> bytes:
    """Raises SmtpRefusal(501) for anything but Base64 with its padding (RFC 4648 §4)."""
    try:
        return a2b_base64(text, strict_mode=True)
    except Base64Error:
        raise SmtpRefusal(501, b"5.5.2", "invalid Base64", "RFC 4954 §4") from None


def command_line(verb: bytes, argument: bytes = b"") -> bytes:
    """A command for a server. Raises Misuse if the argument could become a second one."""
    return require_text(verb + b" " + argument if argument else verb) + b"\r\n"


def mail_line(sender: Sender) -> bytes:
    return command_line(b"MAIL", render_sender(sender))


def rcpt_line(recipient: Recipient) -> bytes:
    return command_line(b"RCPT", render_recipient(recipient))


def auth_plain_line(account: bytes, password: bytes, owner: bytes = b"") -> bytes:
    """AUTH PLAIN with its initial response (RFC 4616): log in as `account` and act for `owner`."""
    return command_line(b"AUTH", b"PLAIN " + b64encode(b"\0".join((owner, account, password))))
