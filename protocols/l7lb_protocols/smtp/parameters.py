"""Parameters of MAIL and RCPT, read and written.

SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET ENVID NOTIFY ORCPT (RFC 3461),
AUTH (RFC 4954 §5). It must not know which of them a peer offers: `extensions` does.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb_protocols.smtp import grammar
from l7lb_protocols.smtp.address import NULL, Address, parse_mailbox, parse_path
from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.grammar import require_text, xtext_decode, xtext_encode

MAX_SIZE_DIGITS = 20
MAX_ENVID = 100
MAX_ORCPT = 500
NOTIFY = (b"NEVER", b"SUCCESS", b"FAILURE", b"DELAY")

Values = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What came with MAIL FROM; the defaults mean: not given."""

    size: int | None = None
    body: bytes = b""
    """`7BIT`, `8BITMIME` or empty."""
    smtputf8: bool = False
    ret: bytes = b""
    """`FULL`, `HDRS` or empty."""
    envid: bytes = b""
    auth: Address | None = None


@dataclass(frozen=True, slots=True)
class RecipientParameters:
    """What came with RCPT TO."""

    notify: tuple[bytes, ...] = ()
    orcpt: tuple[bytes, bytes] | None = None
    """Address type in lower case and decoded address (for `utf-8` as it came, RFC 6533)."""


@dataclass(frozen=True, slots=True)
class Sender:
    address: Address
    parameters: MailParameters = MailParameters()


@dataclass(frozen=True, slots=True)
class Recipient:
    address: Address
    parameters: RecipientParameters = RecipientParameters()


def parse_sender(argument: bytes) -> Sender:
    """The argument of MAIL, from `FROM:` on. Raises SmtpRefusal 501, 553 or 555."""
    address, rest = parse_path(_after(argument, b"FROM:"))
    values = _split(rest)
    parameters = MailParameters(
        size=_size(values.pop(b"SIZE", None)),
        body=_choice(values.pop(b"BODY", None), (b"7BIT", b"8BITMIME"), "BODY"),
        smtputf8=_flag(values, b"SMTPUTF8"),
        ret=_choice(values.pop(b"RET", None), (b"FULL", b"HDRS"), "RET"),
        envid=_envid(values.pop(b"ENVID", None)),
        auth=_submitter(values.pop(b"AUTH", None)),
    )
    _none_left(values)
    _allow_utf8(argument, parameters.smtputf8)
    return Sender(address, parameters)


def parse_recipient(argument: bytes, smtputf8: bool = False) -> Recipient:
    """The argument of RCPT, from `TO:` on; `smtputf8`: MAIL said so. Raises SmtpRefusal."""
    address, rest = parse_path(_after(argument, b"TO:"))
    if address.is_null:
        raise SmtpRefusal(501, b"5.1.3", "empty recipient", "RFC 5321 §4.1.1.3")
    if not address.domain and address.local.lower() != b"postmaster":
        raise SmtpRefusal(501, b"5.1.3", "recipient without a domain", "RFC 5321 §2.3.5")
    values = _split(rest)
    notify = _notify(values.pop(b"NOTIFY", None))
    orcpt = _orcpt(values.pop(b"ORCPT", None))
    _none_left(values)
    _allow_utf8(argument, smtputf8)
    return Recipient(address, RecipientParameters(notify, orcpt))


def render_sender(sender: Sender) -> bytes:
    """The argument of MAIL that `parse_sender` reads. Raises Misuse for text that is not safe."""
    given = sender.parameters
    parts = [b"FROM:<" + sender.address.text + b">"]
    if given.size is not None:
        parts.append(b"SIZE=%d" % given.size)
    if given.body:
        parts.append(b"BODY=" + given.body)
    if given.smtputf8:
        parts.append(b"SMTPUTF8")
    if given.ret:
        parts.append(b"RET=" + given.ret)
    if given.envid:
        parts.append(b"ENVID=" + xtext_encode(given.envid))
    if given.auth is not None:
        parts.append(b"AUTH=" + (xtext_encode(given.auth.text) or b"<>"))
    return require_text(b" ".join(parts))


def render_recipient(recipient: Recipient) -> bytes:
    """The argument of RCPT that `parse_recipient` reads. Raises Misuse."""
    given = recipient.parameters
    parts = [b"TO:<" + recipient.address.text + b">"]
    if given.notify:
        parts.append(b"NOTIFY=" + b",".join(given.notify))
    if given.orcpt is not None:
        kind, text = given.orcpt
        parts.append(b"ORCPT=%s;%s" % (kind, text if kind == b"utf-8" else xtext_encode(text)))
    return require_text(b" ".join(parts))


def _after(argument: bytes, word: bytes) -> bytes:
    if argument[: len(word)].upper() != word:
        raise SmtpRefusal(501, b"5.5.4", f"{word.decode()} expected", "RFC 5321 §4.1.1")
    return argument[len(word) :]


def _split(text: bytes) -> Values:
    """Keywords in upper case; a keyword without a value has an empty one."""
    values: Values = {}
    for part in text.split():
        keyword, equals, value = part.partition(b"=")
        keyword = keyword.upper()
        if not grammar.IS_KEYWORD(keyword) or (equals and not grammar.IS_VALUE(value)):
            raise SmtpRefusal(501, b"5.5.4", "malformed parameter", "RFC 5321 §4.1.1.11")
        if keyword in values:
            raise SmtpRefusal(501, b"5.5.4", "parameter given twice", "RFC 5321 §4.1.1.11")
        values[keyword] = value
    return values


def _none_left(values: Values) -> None:
    if values:
        name = next(iter(values)).decode()
        raise SmtpRefusal(555, b"5.5.4", f"parameter {name} not known", "RFC 5321 §4.1.1.11")


def _allow_utf8(argument: bytes, smtputf8: bool) -> None:
    if argument.isascii():
        return
    if not smtputf8:
        raise SmtpRefusal(553, b"5.6.7", "SMTPUTF8 was not asked for", "RFC 6531 §3.5")
    if not grammar.is_utf8(argument):
        raise SmtpRefusal(501, b"5.5.2", "invalid UTF-8", "RFC 6531 §3.3")


def _size(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > MAX_SIZE_DIGITS:
        raise SmtpRefusal(501, b"5.5.4", "malformed SIZE", "RFC 1870 §3")
    return int(value)


def _choice(value: bytes | None, choices: tuple[bytes, ...], name: str) -> bytes:
    if value is None:
        return b""
    if value.upper() not in choices:
        raise SmtpRefusal(501, b"5.5.4", f"{name} value not known", "RFC 5321 §4.1.1.11")
    return value.upper()


def _flag(values: Values, name: bytes) -> bool:
    if name not in values:
        return False
    if values.pop(name):
        raise SmtpRefusal(501, b"5.5.4", f"{name.decode()} takes no value", "RFC 6531 §3.1")
    return True


def _envid(value: bytes | None) -> bytes:
    if value is None:
        return b""
    if not value or len(value) > MAX_ENVID:
        raise SmtpRefusal(501, b"5.5.4", "malformed ENVID", "RFC 3461 §4.4")
    return xtext_decode(value)


def _submitter(value: bytes | None) -> Address | None:
    """`<>` is written with the very characters that xtext leaves alone."""
    if value is None:
        return None
    if value == b"<>":
        return NULL
    return parse_mailbox(xtext_decode(value))


def _notify(value: bytes | None) -> tuple[bytes, ...]:
    if value is None:
        return ()
    words = tuple(value.upper().split(b","))
    alone = b"NEVER" not in words or len(words) == 1
    if not alone or len(set(words)) != len(words) or not set(words) <= set(NOTIFY):
        raise SmtpRefusal(501, b"5.5.4", "malformed NOTIFY", "RFC 3461 §4.1")
    return words


def _orcpt(value: bytes | None) -> tuple[bytes, bytes] | None:
    if value is None:
        return None
    kind, semicolon, text = value.partition(b";")
    kind = kind.lower()
    if not semicolon or not text or not grammar.IS_KEYWORD(kind) or len(value) > MAX_ORCPT:
        raise SmtpRefusal(501, b"5.5.4", "malformed ORCPT", "RFC 3461 §4.2")
    return kind, text if kind == b"utf-8" else xtext_decode(text)
