"""The envelope of a spooled message as bytes: what is still owed to whom.

    l7lb-spool 1 <octets of the body> <BLAKE2b of the body, 32 hex digits>
    I <arrival, ms> <tries> <next try, ms> <octets of the message> <its BLAKE2b or ->
    X <client facts as XCLIENT attributes>                     absent: nothing is known
    M FROM:<sender> SIZE=… BODY=…
    R waiting|delivered|failed|reported <tries> <code> <enhanced or -> <xtext or -> TO:<…> NOTIFY=…

Each line ends in LF; the text after M and R is that of the commands, read by the same parser.
A file may go on with the message or another record behind it. It must not know files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b

from l7lb_protocols.smtp.errors import Misuse, RecordDamaged, RecordTruncated, SmtpRefusal
from l7lb_protocols.smtp.grammar import xtext_decode, xtext_encode
from l7lb_protocols.smtp.parameters import (
    Recipient,
    Sender,
    parse_recipient,
    parse_sender,
    render_recipient,
    render_sender,
)
from l7lb_protocols.smtp.replies import Reply, fits
from l7lb_protocols.smtp.xclient import ATTRIBUTES, Attributes

MAGIC = b"l7lb-spool"
VERSION = 1
MAX_BODY = 1 << 24
MAX_HEAD = 80

_HEAD = re.compile(MAGIC + rb" ([0-9]{1,6}) ([0-9]{1,8}) ([0-9a-f]{32})\n")
_INFO = re.compile(rb"I ([0-9]{1,15}) ([0-9]{1,9}) ([0-9]{1,15}) ([0-9]{1,15}) (-|[0-9a-f]{32})")
_RECIPIENT = re.compile(
    rb"R (waiting|delivered|failed|reported) ([0-9]{1,9}) ([0-9]{3}) (-|[0-9.]+) (\S+) (TO:.*)"
)


class State(Enum):
    """WAITING is owed; FAILED must still be reported to the sender; the others are settled."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class SpooledRecipient:
    """`reply`: the last one that a server gave, None before the first try."""

    recipient: Recipient
    state: State = State.WAITING
    tries: int = 0
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """Times are milliseconds since 1970 in UTC, by the wall clock; `message_digest` is
    `digest_of` the message, empty if nobody took it."""

    sender: Sender
    recipients: tuple[SpooledRecipient, ...]
    arrival_ms: int
    tries: int = 0
    next_try_ms: int = 0
    message_bytes: int = 0
    message_digest: bytes = b""
    client: Attributes | None = None

    @property
    def waiting(self) -> tuple[int, ...]:
        return self._in(State.WAITING)

    @property
    def unreported(self) -> tuple[int, ...]:
        return self._in(State.FAILED)

    @property
    def is_settled(self) -> bool:
        """Nothing is owed: the record and its message may go."""
        return not self.waiting and not self.unreported

    def _in(self, state: State) -> tuple[int, ...]:
        return tuple(at for at, one in enumerate(self.recipients) if one.state is state)


def digest_of(data: bytes) -> bytes:
    """32 hexadecimal digits. For pieces use `hashlib.blake2b(digest_size=16)`."""
    return blake2b(data, digest_size=16).hexdigest().encode()


def encode(record: SpoolRecord) -> bytes:
    """Raises Misuse for a record that could not be read again."""
    lines = [
        b"I %d %d %d %d %s"
        % (
            record.arrival_ms,
            record.tries,
            record.next_try_ms,
            record.message_bytes,
            record.message_digest or b"-",
        )
    ]
    if record.client is not None:
        lines.append(b"X " + b" ".join(map(b"=".join, _facts(record.client))))
    lines.append(b"M " + render_sender(record.sender))
    lines.extend(map(_recipient_line, record.recipients))
    body = b"".join(line + b"\n" for line in lines)
    data = b"%s %d %d %s\n" % (MAGIC, VERSION, len(body), digest_of(body)) + body
    try:
        same = decode(data) == (record, len(data))
    except (RecordDamaged, RecordTruncated) as problem:
        raise Misuse(f"no record that can be kept: {problem}") from problem
    if not same:
        raise Misuse("no record that can be kept")
    return data


def decode(data: bytes, start: int = 0) -> tuple[SpoolRecord, int]:
    """The record at offset `start`, and the offset behind it.

    Raises RecordTruncated if `data` ends within it, RecordDamaged if it is not what was written.
    """
    head = _HEAD.match(data, start)
    if head is None:
        raise _broken_head(data[start : start + MAX_HEAD])
    if int(head[1]) != VERSION:
        raise RecordDamaged(f"version {int(head[1])} is not known")
    size = int(head[2])
    if size > MAX_BODY:
        raise RecordDamaged("record too large")
    body = data[head.end() : head.end() + size]
    if len(body) < size:
        raise RecordTruncated(f"{size - len(body)} octets are missing")
    if digest_of(body) != head[3]:
        raise RecordDamaged("checksum differs")
    try:
        return _record(body), head.end() + size
    except (SmtpRefusal, Misuse) as problem:
        raise RecordDamaged(str(problem)) from problem


def _broken_head(head: bytes) -> RecordDamaged | RecordTruncated:
    begun = MAGIC.startswith(head) or head.startswith(MAGIC + b" ")
    if begun and b"\n" not in head and len(head) < MAX_HEAD:
        return RecordTruncated("the head is missing")
    return RecordDamaged("no spool record")


def _record(body: bytes) -> SpoolRecord:
    lines = body.split(b"\n")
    if lines.pop() or len(lines) < 3:
        raise RecordDamaged("lines are missing")
    info = _INFO.fullmatch(lines[0])
    if info is None:
        raise RecordDamaged("malformed line I")
    rest = lines[1:]
    client = _client(rest.pop(0)[2:]) if rest[0].startswith(b"X ") else None
    if not rest or not rest[0].startswith(b"M "):
        raise RecordDamaged("line M is missing")
    sender = parse_sender(rest[0][2:])
    utf8 = sender.parameters.smtputf8
    return SpoolRecord(
        sender,
        tuple(_recipient(line, utf8) for line in rest[1:]),
        arrival_ms=int(info[1]),
        tries=int(info[2]),
        next_try_ms=int(info[3]),
        message_bytes=int(info[4]),
        message_digest=b"" if info[5] == b"-" else info[5],
        client=client,
    )


def _facts(client: Attributes) -> list[tuple[bytes, bytes]]:
    return [(name, xtext_encode(value)) for name, value in client.items()]


def _client(text: bytes) -> Attributes:
    facts = [part.partition(b"=") for part in text.split(b" ") if part]
    if not {name for name, _, _ in facts} <= set(ATTRIBUTES):
        raise RecordDamaged("malformed line X")
    return {name: xtext_decode(value) for name, _, value in facts}


def _recipient_line(one: SpooledRecipient) -> bytes:
    code, enhanced, text = b"000", b"-", b"-"
    if one.reply is not None:
        code = b"%d" % one.reply.code
        enhanced = one.reply.enhanced or b"-"
        text = b"".join(b"=" + xtext_encode(line) for line in one.reply.lines)
    told = b" ".join((code, enhanced, text))
    state = one.state.value.encode()
    return b"R %s %d %s %s" % (state, one.tries, told, render_recipient(one.recipient))


def _recipient(line: bytes, utf8: bool) -> SpooledRecipient:
    found = _RECIPIENT.fullmatch(line)
    if found is None:
        raise RecordDamaged("malformed line R")
    return SpooledRecipient(
        parse_recipient(found[6], utf8),
        State(found[1].decode()),
        int(found[2]),
        _reply(int(found[3]), found[4], found[5]),
    )


def _reply(code: int, enhanced: bytes, text: bytes) -> Reply | None:
    if not code:
        return None
    enhanced = b"" if enhanced == b"-" else enhanced
    if enhanced and not fits(enhanced, code):
        raise RecordDamaged("malformed reply")
    lines = tuple(map(xtext_decode, text.split(b"=")[1:]))
    return Reply(code, lines, enhanced)
