"""What the director itself writes: the Received field, and the report of a failure."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace

import pytest

from l7lb.mail.smtp.received import Passage, new_queue_id, received
from l7lb.mail.smtp.report import Original, failure_report, wants_report
from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.parameters import (
    MailParameters,
    Recipient,
    RecipientParameters,
    Sender,
)
from l7lb_protocols.smtp.replies import reply
from l7lb_protocols.smtp.spool_record import SpooledRecipient, SpoolRecord, State

NOW_S = 1_700_000_000.0
PASSAGE = Passage(b"client.example", "192.0.2.9", b"mx.example.org", "ab12")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"extended": False}, b"SMTP"),
        ({}, b"ESMTP"),
        ({"secure": True}, b"ESMTPS"),
        ({"account": b"a"}, b"ESMTPA"),
        ({"secure": True, "account": b"a"}, b"ESMTPSA"),
        ({"utf8": True, "secure": True}, b"UTF8SMTPS"),
    ],
)
def test_received_says_how(changes: dict[str, object], word: bytes) -> None:
    field = received(replace(PASSAGE, **changes), NOW_S)
    assert b" with " + word + b" id ab12;" in field


def test_received_is_one_field_whatever_the_client_said() -> None:
    evil = replace(PASSAGE, hello=b"a (b)\r\nSubject: no\\", source="2001:db8::1")
    field = received(replace(evil, recipient="ä@example.org".encode()), NOW_S)
    parsed = email.message_from_bytes(field + b"\r\n")
    assert parsed.keys() == ["Received"]
    assert b"[IPv6:2001:db8::1]" in field
    assert b"for <" not in field
    assert b"Tue, 14 Nov 2023 22:13:20 " in field
    named = received(replace(PASSAGE, recipient=b"a@example.org"), NOW_S)
    assert b"\tfor <a@example.org>;\r\n" in named


def test_queue_ids_differ() -> None:
    assert new_queue_id(NOW_S, 0.25) != new_queue_id(NOW_S, 0.5) != new_queue_id(NOW_S + 1, 0.5)


def test_report_is_what_programs_read() -> None:
    to = Recipient(
        Address(b"carol", b"example.org"),
        RecipientParameters((b"FAILURE",), (b"rfc822", b"c@old.example")),
    )
    failed = [
        SpooledRecipient(to, State.FAILED, 1, reply(552, b"5.2.2", "mailbox full")),
        SpooledRecipient(Recipient(Address(b"dave", b"x.example")), State.FAILED, 9, None),
        SpooledRecipient(
            Recipient(Address("ä".encode(), b"x.example")),
            State.FAILED,
            9,
            reply(451, b"4.2.0", "busy"),
        ),
    ]
    sender = Sender(Address(b"sam", b"sender.example"), MailParameters(envid=b"E1"))
    record = SpoolRecord(sender, tuple(failed), arrival_ms=int(NOW_S * 1000))
    original = Original(record, failed, b"Subject: x\r\nX: y\r\n\r\nsecret text", "ab12")
    data = failure_report(b"mx.example.org", original, "r1", NOW_S)
    assert data.count(b"\n") == data.count(b"\r\n")
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert message["To"] == "sam@sender.example" or message["To"] == "<sam@sender.example>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message.get_content_type() == "multipart/report"
    words, status, header = message.iter_parts()
    assert "mailbox full" in words.get_content()
    assert header.get_content_type() == "text/rfc822-headers"
    assert b"secret" not in data
    blocks = status.get_payload()
    assert [block["Status"] for block in blocks[1:]] == ["5.2.2", "5.4.7", "5.4.7"]
    assert blocks[0]["Original-Envelope-Id"] == "E1"
    assert blocks[1]["Original-Recipient"] == "rfc822; c@old.example"
    assert blocks[1]["Action"] == "failed"


def test_who_wants_no_report_gets_none() -> None:
    address = Address(b"a", b"x.example")
    for notify, wanted in (((), True), ((b"FAILURE", b"DELAY"), True), ((b"NEVER",), False)):
        assert wants_report(Recipient(address, RecipientParameters(notify))) is wanted
    assert not wants_report(Recipient(address, RecipientParameters((b"SUCCESS",))))
