"""The ID command (RFC 2971), and the client's address handed over in it.

The keys for the hand-over are those that Dovecot's proxies use, so that both take each other's.
Must not know who may be believed.
"""

from __future__ import annotations

from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Argument, Word, is_quotable, quote
from l7lb_protocols.login.origin import Origin, parse_origin

MAX_PAIRS = 30
MAX_KEY_BYTES = 30
MAX_VALUE_BYTES = 1024

Identity = tuple[tuple[bytes, bytes], ...]
"""Keys in lower case; a value of NIL is empty."""

_ORIGIN_KEYS = {
    b"x-originating-ip": "address",
    b"x-originating-port": "port",
    b"x-connected-ip": "local_address",
    b"x-connected-port": "local_port",
    b"x-session-id": "session",
    b"x-proxy-ttl": "hops_left",
}


def parse(arguments: tuple[Argument, ...]) -> Identity:
    """From the arguments of ID. Raises ImapRefusal (RFC 2971 §3.3)."""
    if len(arguments) != 1:
        raise ImapRefusal("ID wants NIL or one list", "RFC 2971 §3.1")
    words = arguments[0]
    if isinstance(words, Word):
        if not words.is_nil:
            raise ImapRefusal("ID wants NIL or one list", "RFC 2971 §3.1")
        return ()
    if len(words) % 2 or len(words) > 2 * MAX_PAIRS:
        raise ImapRefusal("ID with half a pair or too many", "RFC 2971 §3.3")
    pairs = tuple(map(_pair, words[::2], words[1::2]))
    if len({key for key, _ in pairs}) != len(pairs):
        raise ImapRefusal("ID with a key twice", "RFC 2971 §3.3")
    return pairs


def _pair(key: Word, value: Word) -> tuple[bytes, bytes]:
    if not key.is_string or not (value.is_string or value.is_nil):
        raise ImapRefusal("ID wants strings", "RFC 2971 §3.1")
    if len(key.value) > MAX_KEY_BYTES or len(value.value) > MAX_VALUE_BYTES:
        raise ImapRefusal("ID with a key or value over the limit", "RFC 2971 §3.3")
    return key.value.lower(), value.value if value.is_string else b""


def argument(pairs: Identity) -> Argument:
    """For the ID command or response; pairs over a limit are left out."""
    fitting = [pair for pair in pairs if _fits(*pair)][:MAX_PAIRS]
    words: list[Word] = []
    for key, value in fitting:
        words += (Word(key, True), Word(value, True) if value else Word(b"NIL"))
    return tuple(words) if words else Word(b"NIL")


def _fits(key: bytes, value: bytes) -> bool:
    return 0 < len(key) <= MAX_KEY_BYTES and len(value) <= MAX_VALUE_BYTES


def command(tag: bytes, pairs: Identity, origin: Origin) -> bytes:
    """The ID command that tells the next one of a client: the origin first, one hop further, then
    what the client said of itself. What would need a literal is left out."""
    told = _told(origin)
    for key, value in own_words(pairs)[: MAX_PAIRS - len(told)]:
        if _fits(key, value) and is_quotable(key) and is_quotable(value):
            told.append(quote(key) + b" " + (quote(value) if value else b"NIL"))
    return b"%s ID (%s)\r\n" % (tag, b" ".join(told))


def _told(origin: Origin) -> list[bytes]:
    """Pairs of `_ORIGIN_KEYS`; an address needs no quoting."""
    told = []
    if origin.address:
        told.append(b'"x-originating-ip" "%s"' % origin.address.encode("ascii"))
    if origin.port:
        told.append(b'"x-originating-port" "%d"' % origin.port)
    if origin.local_address:
        told.append(b'"x-connected-ip" "%s"' % origin.local_address.encode("ascii"))
    if origin.local_port:
        told.append(b'"x-connected-port" "%d"' % origin.local_port)
    if origin.session:
        told.append(b'"x-session-id" ' + quote(origin.session))
    told.append(b'"x-proxy-ttl" "%d"' % (origin.hops_left - 1))
    return told


def own_words(pairs: Identity) -> Identity:
    """What a client said of itself, less all that only a director may say."""
    return tuple(pair for pair in pairs if not pair[0].startswith(b"x-"))


def origin(pairs: Identity) -> Origin:
    """What the peer says of the client behind it. Raises ImapRefusal for nonsense."""
    fields = {_ORIGIN_KEYS[key]: value for key, value in pairs if key in _ORIGIN_KEYS and value}
    try:
        return parse_origin(fields)
    except ValueError:
        raise ImapRefusal("ID with a malformed origin") from None
