"""The report to a sender that a message could not be delivered (RFC 3464, RFC 6522)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate

from l7lb_protocols.smtp.parameters import Recipient
from l7lb_protocols.smtp.spool_record import SpooledRecipient, SpoolRecord

HEAD_LIMIT = 64 << 10
"""Of the message's header that is sent back."""


@dataclass(frozen=True, slots=True)
class Original:
    """What is reported on. `head`: the beginning of the message."""

    record: SpoolRecord
    failed: Sequence[SpooledRecipient]
    head: bytes
    queue_id: str


def wants_report(recipient: Recipient) -> bool:
    """RFC 3461 §4.1: without NOTIFY a failure is reported."""
    notify = recipient.parameters.notify
    return not notify or b"FAILURE" in notify


def failure_report(name: bytes, original: Original, report_id: str, wall_s: float) -> bytes:
    """A whole message in CRLF lines, for the null sender to send."""
    boundary = b"report-" + report_id.encode()
    parts = (_words(name, original), _status(name, original), _header(original))
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return _top(name, original, report_id, wall_s) + body + b"--" + boundary + b"--\r\n"


def _top(name: bytes, original: Original, report_id: str, wall_s: float) -> bytes:
    lines = (
        b"From: Mail Delivery System <MAILER-DAEMON@" + name + b">",
        b"To: <" + original.record.sender.address.text + b">",
        b"Subject: Undelivered mail: delivery failed",
        b"Date: " + formatdate(wall_s).encode(),
        b"Message-ID: <" + report_id.encode() + b"@" + name + b">",
        b"Auto-Submitted: auto-replied",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="report-'
        + report_id.encode()
        + b'"',
    )
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def _words(name: bytes, original: Original) -> bytes:
    lines = [
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        b"",
        b"This is the mail system at " + name + b".",
        b"Your message could not be delivered to these recipients:",
        b"",
    ]
    for one in original.failed:
        lines.append(b"<" + one.recipient.address.text + b">:")
        lines.append(b"    " + _said(one))
    return b"".join(line + b"\r\n" for line in lines)


def _said(one: SpooledRecipient) -> bytes:
    if one.reply is None:
        return b"never answered"
    return b"%d %s %s" % (one.reply.code, one.reply.enhanced, one.reply.text[:400])


def _status(name: bytes, original: Original) -> bytes:
    record = original.record
    lines = [
        b"Content-Type: message/delivery-status",
        b"",
        b"Reporting-MTA: dns; " + name,
        b"Arrival-Date: " + formatdate(record.arrival_ms / 1000).encode(),
    ]
    if record.sender.parameters.envid:
        lines.insert(3, b"Original-Envelope-Id: " + record.sender.parameters.envid)
    for one in original.failed:
        lines += [b"", *_recipient(one)]
    return b"".join(line + b"\r\n" for line in lines)


def _recipient(one: SpooledRecipient) -> list[bytes]:
    address = one.recipient.address
    kind = b"rfc822" if address.is_ascii else b"utf-8"
    reply = one.reply
    is_final = reply is not None and reply.is_permanent
    enhanced = reply.enhanced if reply is not None and is_final and reply.enhanced else b""
    lines = [
        b"Final-Recipient: " + kind + b"; " + address.text,
        b"Action: failed",
        b"Status: " + (enhanced or (b"5.0.0" if is_final else b"5.4.7")),
        b"Diagnostic-Code: smtp; " + _said(one),
    ]
    original = one.recipient.parameters.orcpt
    if original is not None:
        lines.insert(0, b"Original-Recipient: %s; %s" % original)
    return lines


def _header(original: Original) -> bytes:
    """The fields of the message that could not be delivered, as far as they are whole."""
    head = original.head
    end = head.find(b"\r\n\r\n")
    fields = head[: end + 2] if end >= 0 else head[: head.rfind(b"\r\n") + 2]
    return b"Content-Type: text/rfc822-headers\r\n\r\n" + fields
