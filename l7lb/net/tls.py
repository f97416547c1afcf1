"""A TLS connection on a socket of our own: the same interface as a plain stream.

Owns the TLS state and the records on their way in. Certificates and trust come with the `wrap`
function (`net.certificates`); the handshake's deadline is the owner's, who calls `close`.

How the end of a connection is told:

- close_notify: `stream_eof`, on both roles.
- TCP ends without close_notify (`ragged_eof` is set): what came may be cut short (RFC 8446 §6.1).
  A server sees `stream_eof`, because clients commonly leave so and a request's framing shows
  whether it is whole. A client sees `stream_lost`, because an answer may be framed by the end of
  the connection alone (RFC 9112 §9.8).
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import NamedTuple, cast

from l7lb.net.stream import READ_SIZE, Stream, StreamHandler

HEADER = 5
RECORD = 16384
"""Plaintext bytes in one record at most (RFC 8446 §5.1)."""
WRITE_RECORD = 8192
"""Plaintext bytes that we put in one. Half the most, since a MemoryBIO keeps what it grew to;
costs about 5 % more than whole records."""
MAX_SEALED = HEADER + RECORD + 2048
"""A whole record on the wire at most (RFC 5246 §6.2.3; TLS 1.3 allows less)."""
FIRST_TYPE, LAST_TYPE = 20, 24
"""Content types of records: change_cipher_spec to heartbeat."""

CONTROL = 4
"""Pause reason: the peer does not take our alerts."""

_SEALED = bytearray(MAX_SEALED + READ_SIZE)
_SEALED_VIEW = memoryview(_SEALED)
_PLAIN = bytearray(MAX_SEALED + READ_SIZE)
_PLAIN_VIEW = memoryview(_PLAIN)

Wrap = Callable[[ssl.MemoryBIO, ssl.MemoryBIO], ssl.SSLObject]
"""Makes the TLS state from (bytes from the peer, bytes for the peer)."""


class TlsError(OSError):
    """TLS failed on this connection; the text is fit for a log."""


class Negotiated(NamedTuple):
    """What the handshake settled."""

    version: str
    cipher: str
    alpn: str
    """Empty: none."""
    sni: bytes
    """The name that the client asked for, lower case; empty: none."""
    peer_names: tuple[bytes, ...]
    """From the verified certificate of a client: subject CN first, then DNS and e-mail names.
    A name with unprintable characters is left out, so each is safe in a header field.
    Empty for a server's, whose name was checked against the one that we wanted."""


class ServerObject(ssl.SSLObject):
    """The TLS state of an accepted connection, which remembers the name asked for."""

    sni: bytes = b""


Unseal = Callable[[int, memoryview], int]
Pairs = tuple[tuple[str, str], ...]
OnReady = Callable[["TlsStream", Negotiated], None]


class TlsStream(Stream):
    """Takes the socket over from `plain`, which is of no use afterwards.

    `initial` was read from the socket already. `on_ready` comes once, after the handshake; when it
    fails, `stream_lost` comes instead. Neither comes from within the constructor. What is written
    before is queued, and counted in `queued`. Pausing before `on_ready` holds up the handshake.
    """

    can_splice = False

    def __init__(
        self,
        plain: Stream,
        handler: StreamHandler,
        wrap: Wrap,
        on_ready: OnReady,
        initial: bytes = b"",
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = wrap(self._incoming, self._outgoing)
        self._unseal = cast("Unseal", self._tls.read)
        self._on_ready: OnReady | None = on_ready
        self._has_early = False
        self._end_early = False
        self._rest = b""
        self._held = False
        self.ragged_eof = False
        plain.flush()
        plain.poller.forget(plain.fd)
        plain.closed = True
        super().__init__(plain.poller, plain.sock, handler)
        self._queue = plain._queue
        self.queued = plain.queued
        self._interest()
        self._incoming.write(initial)
        if initial or not self._tls.server_side:
            self.poller.loop.call_soon(self._shake)

    # ------------------------------------------------------------------ handshake

    def _shake(self) -> None:
        """Take the handshake as far as the bytes at hand allow."""
        if self.closed or self._on_ready is None:
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send_control()
        except OSError as error:
            self._fail("TLS handshake", error)
        else:
            self._opened(self._on_ready)

    def _opened(self, on_ready: OnReady) -> None:
        self._on_ready = None
        self._send_control()
        self._rest = self._incoming.read(READ_SIZE)
        self._held = bool(self._rest)
        if self._has_early:
            self.flush()
            self.poller.loop.call_soon(self._tell_drained)
        if self._end_early:
            self.write_eof()
        on_ready(self, negotiated(self._tls))
        self._catch_up()

    def _tell_drained(self) -> None:
        """Who wrote before the handshake may be waiting for it."""
        if not self.closed and self.queued == 0:
            self.handler.stream_drained(self)

    def _catch_up(self) -> None:
        """Serve the records that came together with the end of the handshake."""
        if self._held and self._paused == 0 and not self.closed:
            self._held = False
            total = len(self._rest)
            _SEALED[:total] = self._rest
            self._open_records(total)

    # ------------------------------------------------------------------ reading

    def resume(self, reason: int) -> None:
        Stream.resume(self, reason)
        if self._held:
            self.poller.loop.call_soon(self._catch_up)

    def is_quiet(self) -> bool:
        """Records that carry no data (session tickets) are read on the way."""
        if Stream.is_quiet(self):
            return not self._rest
        if not self.closed and not self.at_eof and self._paused == 0:
            self._read()
        return not self.closed and not self._rest and Stream.is_quiet(self)

    def _read(self) -> None:
        if self._held:
            self._catch_up()
            return
        rest = len(self._rest)
        try:
            count = self.sock.recv_into(_SEALED_VIEW[rest : rest + READ_SIZE])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.lose(error)
            return
        if not count:
            self._end_raggedly()
        elif self._on_ready is not None:
            self._incoming.write(_SEALED_VIEW[:count])
            self._shake()
        else:
            if rest:
                _SEALED[:rest] = self._rest
            self._open_records(rest + count)

    def _open_records(self, total: int) -> None:
        """Decrypt the whole records in `_SEALED[:total]`, keep the rest, tell the handler once.

        OpenSSL is asked for nothing but what is there: its exceptions cost more than a record.
        Records go in one by one, because a MemoryBIO never gives back memory.
        """
        start = size = 0
        ended = False
        error: OSError | None = None
        while total - start >= HEADER and not ended:
            length = HEADER + (_SEALED[start + 3] << 8 | _SEALED[start + 4])
            if not FIRST_TYPE <= _SEALED[start] <= LAST_TYPE or length > MAX_SEALED:
                error = TlsError("bytes that are no record")
                break
            if start + length > total:
                break
            self._incoming.write(_SEALED_VIEW[start : start + length])
            start += length
            try:
                count = self._unseal(RECORD, _PLAIN_VIEW[size:])
            except ssl.SSLWantReadError:
                continue  # a ticket or a key update
            except ssl.SSLZeroReturnError:
                ended = True
            except OSError as failure:
                error = failure
                break
            else:
                size += count
                ended = count == 0
        self._rest = bytes(_SEALED_VIEW[start:total]) if start < total else b""
        self._tell(size, ended, error)

    def _tell(self, size: int, ended: bool, error: OSError | None) -> None:
        if self._outgoing.pending:
            self._send_control()
        if size:
            self.handler.stream_data(self, bytes(_PLAIN_VIEW[:size]))
        if self.closed:
            return
        if error is not None:
            self._fail("TLS", error)
        elif ended:
            self._rest = b""
            self.note_eof()

    def _end_raggedly(self) -> None:
        self.ragged_eof = True
        if self._on_ready is not None:
            self.lose(TlsError("TLS handshake: the peer closed the connection"))
        elif self._tls.server_side:
            self.note_eof()
        else:
            self.lose(TlsError("TLS: closed without close_notify, so perhaps cut short"))

    # ------------------------------------------------------------------ writing

    def write(self, data: bytes) -> None:
        """As `Stream.write`: what one round writes goes into the same records, up to `RECORD`."""
        if self.closed or self._finish or not data:
            return
        self.queued += len(data)
        if self._on_ready is not None:
            self._has_early = True
            self._unsent += data
        elif not self._unsent and len(data) <= RECORD:
            self._unsent = data
            self.poller.at_round_end(self)
        else:
            self._unsent += data
            if len(self._unsent) > RECORD:
                self.flush()

    def flush(self, more: bool = False) -> None:
        if self._unsent and self._on_ready is None and not self.closed:
            self._put(self._seal())

    def _seal(self) -> bytes:
        """What waits to be sealed, as records. On a fault it is dropped, and the connection lost
        soon."""
        data, self._unsent = self._unsent, b""
        self.queued -= len(data)
        try:
            if len(data) <= WRITE_RECORD:
                self._tls.write(data)
                return self._outgoing.read()
            view = memoryview(data)
            pieces = []
            for start in range(0, len(data), WRITE_RECORD):
                self._tls.write(view[start : start + WRITE_RECORD])
                pieces.append(self._outgoing.read())
            return b"".join(pieces)
        except OSError as error:
            self._lose_soon(TlsError(f"TLS: {reason(error)}"))
            return b""

    def _put(self, sealed: bytes) -> None:
        """Send records, or queue them behind others."""
        self.queued += len(sealed)
        if self._queue is not None:
            self._queue.append(memoryview(sealed))
        elif sealed:
            self._send(sealed, False)

    def _send_control(self) -> None:
        """Send what TLS itself has to say. A peer that does not take it is read no more."""
        if self._outgoing.pending and not self._finish:
            self._put(self._outgoing.read())
            if self._queue is not None:
                self.pause(CONTROL)

    def _writable(self) -> None:
        Stream._writable(self)
        if self._queue is None and self._paused & CONTROL:
            self.resume(CONTROL)

    def write_eof(self) -> None:
        """Send close_notify and end our side after all that is queued; reading goes on."""
        if self.closed or self._finish:
            return
        if self._on_ready is not None:
            self._end_early = True
            return
        sealed = self._seal() if self._unsent else b""
        with contextlib.suppress(ssl.SSLError):  # it wants the peer's close_notify, we do not wait
            self._tls.unwrap()
        self._put(sealed + self._outgoing.read())
        Stream.write_eof(self)

    # ------------------------------------------------------------------ ending

    def _fail(self, what: str, error: OSError) -> None:
        """The alert goes out first, so that the peer learns why."""
        self._unsent = b""
        self._send_control()
        self.lose(TlsError(f"{what}: {reason(error)}"))


# ---------------------------------------------------------------------- what TLS tells us


def negotiated(tls: ssl.SSLObject) -> Negotiated:
    """Ask once, after the handshake."""
    cipher = tls.cipher()
    return Negotiated(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        alpn=tls.selected_alpn_protocol() or "",
        sni=tls.sni if isinstance(tls, ServerObject) else b"",
        peer_names=peer_names(tls) if tls.server_side else (),
    )


def peer_names(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    certificate = tls.getpeercert() or {}
    subject = cast("tuple[Pairs, ...]", certificate.get("subject", ()))
    alternative = cast("Pairs", certificate.get("subjectAltName", ()))
    names = [value for part in subject for kind, value in part if kind == "commonName"]
    names += [value for kind, value in alternative if kind in ("DNS", "email")]
    return tuple(dict.fromkeys(name.encode() for name in names if name.isprintable()))


def reason(error: OSError) -> str:
    """Say plainly what went wrong, without OpenSSL's source lines."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message.rstrip('.')}"
    code = getattr(error, "reason", None)
    if not isinstance(code, str):
        return str(error)
    _, is_alert, alert = code.partition("_ALERT_")
    if is_alert:
        return f"the peer's alert: {alert.lower().replace('_', ' ')}"
    return code.lower().replace("_", " ")
