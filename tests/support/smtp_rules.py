"""One rule for each SMTP codec and dialogue, for the fuzz targets and for Hypothesis alike.

Whatever comes, only the documented errors come out; and the same is read whole, byte by byte, and
with other bytes behind it. What is read can be written, and is read again with the same meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.client_events import (
    DataWanted,
    ServerClosed,
    ServerReady,
    StartTls,
    TransactionEnded,
)
from l7lb_protocols.smtp.client_session import ClientSession, ClientSettings, Login, Tls
from l7lb_protocols.smtp.commands import parse_auth, parse_command, parse_hello
from l7lb_protocols.smtp.data_reader import DataLimits, DataReader
from l7lb_protocols.smtp.data_writer import DataWriter
from l7lb_protocols.smtp.errors import BadReply, RecordDamaged, RecordTruncated, SmtpRefusal
from l7lb_protocols.smtp.lines import LineBuffer
from l7lb_protocols.smtp.parameters import (
    Recipient,
    Sender,
    parse_recipient,
    parse_sender,
    render_recipient,
    render_sender,
)
from l7lb_protocols.smtp.replies import MAX_TEXT, Reply
from l7lb_protocols.smtp.reply_reader import ReplyReader
from l7lb_protocols.smtp.spool_record import decode, digest_of, encode
from l7lb_protocols.smtp.verdict import Status
from l7lb_protocols.smtp.xclient import parse_xclient, xclient_lines
from support.smtp_driver import AutomaticServer

CLEAN = re.compile(rb"(?:[^\r\n\0]*\r\n)*")
UNSTUFFED = re.compile(rb"(?m)^\.")


def bytewise(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def read_message(pieces: Iterator[bytes] | list[bytes], limits: DataLimits) -> DataReader:
    """With `content` and `rest` as it should be after the pieces, in `reader.pieces`."""
    reader = DataReader(limits)
    content: list[bytes] = []
    rest: list[bytes] = []
    for piece in pieces:
        used = 0
        if not reader.done:
            used = reader.feed(piece)
            content += reader.pieces
        rest.append(piece[used:])
    reader.pieces = [b"".join(content), b"".join(rest)]
    return reader


def expected_message(data: bytes) -> tuple[bytes, bytes] | None:
    """(message as sent, rest): where RFC 5321 §4.1.1.4 ends it, in plain words."""
    if data.startswith(b".\r\n"):
        return b"", data[3:]
    content, end, rest = data.partition(b"\r\n.\r\n")
    return (content + b"\r\n", rest) if end else None


def check_message(data: bytes) -> None:
    """A message by our reader, whole and bytewise, against the plain words."""
    expected = expected_message(data)
    for pieces in ([data], bytewise(data), [data[:3], data[3:]]):
        reader = read_message(pieces, DataLimits(max_bytes=200, max_line=60, max_hops=2))
        assert reader.done is (expected is not None)
        if expected is None:
            continue
        content, rest = expected
        assert reader.pieces[1] == rest
        if CLEAN.fullmatch(content) is None:
            assert reader.problem is not None
            assert reader.problem.fatal
        elif reader.problem is None:
            assert reader.pieces[0] == UNSTUFFED.sub(b"", content)
            check_written(reader.pieces[0])
        else:
            assert not reader.problem.fatal


def check_written(message: bytes) -> None:
    """What we send for a message ends where it ends, for us and for anybody."""
    for pieces in ([message], bytewise(message)):
        writer = DataWriter()
        sent = b"".join([writer.write(piece) for piece in pieces]) + writer.end()
        reader = read_message([sent + b"QUIT\r\n"], DataLimits())
        assert reader.problem is None
        assert reader.pieces == [message, b"QUIT\r\n"]


def lines_of(pieces: Iterator[bytes] | list[bytes], limit: int) -> tuple[list[bytes], bool]:
    buffer = LineBuffer()
    lines: list[bytes] = []
    try:
        for piece in pieces:
            buffer.push(piece)
            while (line := buffer.line(limit)) is not None:
                lines.append(line)
    except SmtpRefusal as refusal:
        return lines, refusal.fatal
    return lines, False


def check_commands(data: bytes) -> None:
    whole, refused = lines_of([data], 64)
    assert (whole, refused) == lines_of(bytewise(data), 64)
    for line in whole:
        assert len(line) <= 62
        assert not set(line) & set(b"\r\n\0")
        check_command(line)


def check_command(line: bytes) -> None:
    refusal = refusal_of(line)
    if refusal is not None:
        assert 500 <= refusal.code <= 555
        assert refusal.clause
        assert refusal.reason


def refusal_of(line: bytes) -> SmtpRefusal | None:
    try:
        command = parse_command(line)
        read = PARSERS.get(command.verb)
        if read is not None:
            read(command.argument)
    except SmtpRefusal as refusal:
        return refusal
    return None


def check_sender(argument: bytes) -> None:
    sender = parse_sender(argument)
    written = render_sender(sender)
    assert parse_sender(written) == sender
    check_address(sender.address)


def check_recipient(argument: bytes) -> None:
    recipient = parse_recipient(argument, True)
    assert parse_recipient(render_recipient(recipient), True) == recipient
    check_address(recipient.address)


def check_address(address: Address) -> None:
    assert not set(address.text) & set(b"\r\n\0")
    address.text.decode()


def check_xclient(argument: bytes) -> None:
    attributes = parse_xclient(argument)
    for line in xclient_lines(attributes, frozenset(attributes)):
        again = parse_xclient(line[len(b"XCLIENT ") : -2])
        assert again.items() <= attributes.items() or b"" in again.values()


PARSERS: dict[bytes, Callable[[bytes], object]] = {
    b"MAIL": check_sender,
    b"RCPT": check_recipient,
    b"XCLIENT": check_xclient,
    b"AUTH": parse_auth,
    b"EHLO": parse_hello,
}


def replies_of(
    pieces: Iterator[bytes] | list[bytes], max_lines: int = 8
) -> tuple[list[Reply], bool]:
    reader = ReplyReader(max_line=200, max_lines=max_lines)
    found: list[Reply] = []
    try:
        for piece in pieces:
            reader.push(piece)
            while (answer := reader.next()) is not None:
                found.append(answer)
    except BadReply as problem:
        return found, problem.reason != ""
    return found, False


def check_replies(data: bytes) -> None:
    whole, bad = replies_of([data])
    assert (whole, bad) == replies_of(bytewise(data))
    for answer in whole:
        assert all(len(line) <= MAX_TEXT for line in answer.lines)
        again, bad = replies_of([answer.encode()])
        assert not bad
        assert [found.code for found in again] == [answer.code]
        assert again[0].text == answer.text


def check_server(data: bytes, lmtp: bool = False) -> None:
    """A client that may say anything: replies well formed, the message clean, one end."""
    for pieces in ([data], bytewise(data)):
        peer = AutomaticServer(lmtp=lmtp)
        for piece in pieces:
            peer.receive(piece)
        peer.end()
        assert CLEAN.fullmatch(b"".join(peer.messages))


def check_client(data: bytes, lmtp: bool = False) -> None:
    """A server that may say anything: one end for each recipient, and nothing raised."""
    for pieces in ([data], bytewise(data)):
        settings = ClientSettings(
            b"d.example",
            lmtp=lmtp,
            tls=Tls.MAY,
            attributes={b"ADDR": b"::1", b"TTL": b"3"},
            login=Login(b"u", b"p") if b"AUTH" in data else None,
            plain_auth=True,
        )
        session = ClientSession(settings)
        ended = run_client(session, list(pieces))
        assert all(len(end.outcomes) == 2 for end in ended)
        for end in ended:
            for one in end.outcomes:
                assert one.status is not Status.DELIVERED or one.reply.is_positive


def run_client(session: ClientSession, pieces: list[bytes]) -> list[TransactionEnded]:
    """Sends one message to two recipients each time that the server is ready."""
    ended: list[TransactionEnded] = []
    begun = 0
    closed = 0
    for piece in [*pieces, None]:
        events = session.eof() if piece is None else session.receive(piece)
        while events:
            event = events.pop(0)
            if isinstance(event, StartTls):
                events += session.tls_started()
            elif isinstance(event, ServerReady) and begun < 3:
                begun += 1
                events += session.begin(Sender(Address(b"a", b"b.example")))
                for local in (b"c", b"d"):
                    events += session.add(Recipient(Address(local, b"e.example")))
                events += session.data()
            elif isinstance(event, DataWanted):
                events += session.write(b".x\r\n") + session.finish()
            elif isinstance(event, TransactionEnded):
                ended.append(event)
            elif isinstance(event, ServerClosed):
                closed += 1
    assert closed == 1
    assert len(ended) == begun
    return ended


def check_record(data: bytes) -> None:
    try:
        record, end = decode(data)
    except (RecordDamaged, RecordTruncated):
        return
    assert decode(data + b"more") == (record, end)
    assert decode(encode(record))[0] == record


def sealed(body: bytes, version: int = 1) -> bytes:
    """`body` as a record whose checksum is right."""
    return b"l7lb-spool %d %d %s\n%s" % (version, len(body), digest_of(body), body)
