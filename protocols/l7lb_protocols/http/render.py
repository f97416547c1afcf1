"""Heads that are built from fields instead of spans: header edits, and answers of our own."""

from __future__ import annotations

from typing import Protocol

from l7lb_protocols.http.refusals import REASONS
from l7lb_protocols.http.scanner import RequestScanner, ResponseScanner
from l7lb_protocols.wire import Decision, Fields


class Asker(Protocol):
    """What an answer of ours must know of the request."""

    method: bytes
    minor: int
    keep: bool


def edited_request(head: RequestScanner, decision: Decision, added: bytes, drop: int) -> bytes:
    """The forwarded request head with the route's header edits applied; ours come before them."""
    plain = head.forward(added, drop, decision.path, decision.host, head.upgrade != b"")
    return _edit(plain, decision.edit_request)


def edited_response(head: ResponseScanner, decision: Decision, added: bytes, drop: int) -> bytes:
    plain = head.forward(b"", drop)
    return _edit(plain, decision.edit_response)[:-2] + added + b"\r\n"


def _edit(plain: bytes, edit: object) -> bytes:
    """`plain` was made by a scanner, so every line is `Name: value`."""
    assert callable(edit)
    first, *lines = plain[:-4].split(b"\r\n")
    fields: Fields = []
    for line in lines:
        name, _, value = line.partition(b":")
        fields.append((name, value.strip(b" \t")))
    edited: Fields = edit(fields)
    return b"".join([first, b"\r\n", *(n + b": " + v + b"\r\n" for n, v in edited), b"\r\n"])


def local_reply(status: int, fields: Fields, body: bytes, asker: Asker) -> bytes:
    """A whole answer of our own (RFC 9112 §6.3): framed, and without body for HEAD, 204 and 304."""
    reason = REASONS.get(status, b"Unknown")
    if not body and not fields and status >= 400:
        body = b"%d %s\n" % (status, reason)
        fields = [(b"Content-Type", b"text/plain; charset=utf-8")]
    lines = [b"HTTP/1.1 %d %s\r\n" % (status, reason)]
    lines += [name + b": " + value + b"\r\n" for name, value in fields]
    if status != 204 and status != 304:
        lines.append(b"Content-Length: %d\r\n" % len(body))
    if not asker.keep:
        lines.append(b"Connection: close\r\n")
    elif asker.minor == 0:
        lines.append(b"Connection: keep-alive\r\n")
    lines.append(b"\r\n")
    if asker.method != b"HEAD" and status not in (204, 304):
        lines.append(body)
    return b"".join(lines)
