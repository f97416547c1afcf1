"""The envelope on disk: what is owed survives, and what is broken is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.address import NULL, Address
from l7lb_protocols.smtp.errors import Misuse, RecordDamaged, RecordTruncated
from l7lb_protocols.smtp.parameters import (
    MailParameters,
    Recipient,
    RecipientParameters,
    Sender,
)
from l7lb_protocols.smtp.replies import reply
from l7lb_protocols.smtp.spool_record import (
    MAX_BODY,
    SpooledRecipient,
    SpoolRecord,
    State,
    decode,
    digest_of,
    encode,
)
from support.smtp_rules import check_record, sealed

RECORD = SpoolRecord(
    Sender(
        Address(b"j\xc3\xb6", b"b.example"),
        MailParameters(5, b"8BITMIME", True, b"HDRS", b"q 1", NULL),
    ),
    (
        SpooledRecipient(Recipient(Address(b"a b", b"c.example"))),
        SpooledRecipient(
            Recipient(Address(b"x", b"y"), RecipientParameters((b"DELAY",), (b"rfc822", b"X = y"))),
            State.FAILED,
            2,
            reply(550, b"5.1.1", "no\tsuch = user", "", "b\xe4"),
        ),
        SpooledRecipient(Recipient(Address(b"p", b"q")), State.WAITING, 1, reply(421, b"", "")),
        SpooledRecipient(
            Recipient(Address(b"r", b"s")), State.DELIVERED, 1, reply(250, b"2.0.0", "ok")
        ),
    ),
    arrival_ms=1764000000000,
    tries=2,
    next_try_ms=1764000060000,
    message_bytes=4711,
    message_digest=digest_of(b"message"),
    client={b"ADDR": b"2001:db8::1", b"HELO": b"a = b", b"NAME": b""},
)
SMALL = SpoolRecord(Sender(NULL), (SpooledRecipient(Recipient(Address(b"a", b"b"))),), 0)


@pytest.mark.parametrize("record", [RECORD, SMALL], ids=["full", "small"])
def test_there_and_back(record: SpoolRecord) -> None:
    data = encode(record)
    assert decode(data) == (record, len(data))
    assert decode(data + b"Subject: x\r\n") == (record, len(data))
    assert decode(b"before" + data, 6) == (record, 6 + len(data))


@pytest.mark.parametrize("record", [RECORD, SMALL], ids=["full", "small"])
def test_every_cut_is_seen(record: SpoolRecord) -> None:
    data = encode(record)
    for size in range(len(data)):
        with pytest.raises(RecordTruncated):
            decode(data[:size])


def test_every_flipped_bit_is_seen() -> None:
    data = bytearray(encode(SMALL))
    for at in range(len(data)):
        for bit in range(8):
            data[at] ^= 1 << bit
            with pytest.raises((RecordDamaged, RecordTruncated)):
                decode(bytes(data))
            data[at] ^= 1 << bit


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: x\n",
        b"l7lb-spool x\n",
        b"l7lb-spool " + b"1" * 80,
        b"l7lb-spool 1 %d %s\n" % (MAX_BODY + 1, b"0" * 32),
        sealed(b"", 1),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\nR waiting 0 000 - - TO:<a@b>\n", 2),
        sealed(b"I 0 0 0 0 -\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\nR waiting 0 000 - - TO:<a@b>"),
        sealed(b"I 0 0 0 -\nM FROM:<>\nR waiting 0 000 - - TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<\nR waiting 0 000 - - TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nX FOO=1\nM FROM:<>\nR waiting 0 000 - - TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nX ADDR=+0A\nM FROM:<>\nR waiting 0 000 - - TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nX ADDR=1\nX ADDR=2\nR waiting 0 000 - - TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\nR lost 0 000 - - TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\nR waiting 0 000 - - TO:<>\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\nR waiting 0 100 - =x TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\nR waiting 0 250 - - TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\nR waiting 0 250 5.1.1 =x TO:<a@b>\n"),
        sealed(b"I 0 0 0 0 -\nM FROM:<>\n\n"),
    ],
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(RecordDamaged):
        decode(data)


@pytest.mark.parametrize(
    "record",
    [
        replace(SMALL, arrival_ms=-1),
        replace(SMALL, message_digest=b"short"),
        replace(SMALL, client={b"FOO": b"x"}),
        replace(SMALL, client={b"HELO": b"a\nb"}),
        replace(SMALL, sender=Sender(Address(b"a\n", b"b"))),
        replace(SMALL, sender=Sender(Address(b"\xff", b"b"))),
        replace(SMALL, recipients=(SpooledRecipient(Recipient(NULL)),)),
        replace(SMALL, recipients=()),
        replace(SMALL, sender=Sender(NULL, MailParameters(body=b"7bit"))),
    ],
)
def test_what_could_not_be_read_is_not_written(record: SpoolRecord) -> None:
    with pytest.raises(Misuse):
        encode(record)


def test_what_is_owed() -> None:
    assert RECORD.waiting == (0, 2)
    assert RECORD.unreported == (1,)
    assert not RECORD.is_settled
    done = replace(
        RECORD,
        recipients=tuple(
            replace(one, state=State.REPORTED if one.state is State.FAILED else State.DELIVERED)
            for one in RECORD.recipients
        ),
    )
    assert done.is_settled


WORD = st.from_regex(rb"[a-z .\"\\@<>]{1,12}", fullmatch=True)
RECIPIENTS = st.builds(
    SpooledRecipient,
    st.builds(
        Recipient,
        st.builds(Address, WORD, st.just(b"d.example")),
        st.builds(
            RecipientParameters,
            st.sampled_from([(), (b"NEVER",), (b"SUCCESS", b"DELAY")]),
            st.none() | st.tuples(st.just(b"rfc822"), WORD),
        ),
    ),
    st.sampled_from(State),
    st.integers(0, 99),
    st.none() | st.builds(lambda text: reply(450, b"4.0.0", text), st.text(max_size=20)),
)


@given(st.lists(RECIPIENTS, min_size=1, max_size=4), st.integers(0, 10**14), WORD)
def test_any_record(recipients: list[SpooledRecipient], arrival_ms: int, envid: bytes) -> None:
    record = SpoolRecord(
        Sender(Address(b"s", b"t"), MailParameters(envid=envid)), tuple(recipients), arrival_ms
    )
    assert decode(encode(record))[0] == record


@given(st.binary(max_size=200) | st.binary(max_size=120).map(sealed))
def test_only_documented_errors(data: bytes) -> None:
    check_record(data)
