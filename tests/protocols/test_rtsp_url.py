"""Request URIs as facts."""

from __future__ import annotations

import pytest

from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.facts import RtspFacts
from l7lb_protocols.rtsp.reader import parse
from l7lb_protocols.rtsp.url import WHOLE, Target, read

GOOD = {
    b"*": WHOLE,
    b"rtsp://H.Example/a/b?c=1": Target(b"h.example", b"H.Example", b"/a/b", b"c=1"),
    b"rtsp://h": Target(b"h", b"h", b"/", b""),
    b"RTSP://h:8554/": Target(b"h", b"h:8554", b"/", b""),
    b"rtsps://[2001:DB8::1]:322/x": Target(b"[2001:db8::1]", b"[2001:DB8::1]:322", b"/x", b""),
    b"rtsp://fd71:1::10:554/x": Target(b"fd71:1::10:554", b"fd71:1::10:554", b"/x", b""),
    b"rtspu://h/%41": Target(b"h", b"h", b"/A", b""),
    b"rtsp://user:pass@h/a": Target(b"h", b"h", b"/a", b""),
    b"rtsp://h/caf\xc3\xa9": Target(b"h", b"h", b"/caf\xc3\xa9", b""),
}
BAD = (
    b"",
    b"/a",
    b"http://h/a",
    b"rtsp:///a",
    b"rtsp://h/../a",
    b"rtsp://h/a/%2e%2e/b",
    b"rtsp://h/a%2fb",
    b"rtsp://h/a%zz",
    b"rtsp://h\\x/a",
    b"rtsp://h:999999/a",
    b"rtsp://h/a#b",
    b"rtsp://a@b@h/a",
)


@pytest.mark.parametrize("target", GOOD)
def test_good(target: bytes) -> None:
    assert read(target) == GOOD[target]


@pytest.mark.parametrize("target", BAD)
def test_bad(target: bytes) -> None:
    with pytest.raises(RtspRefusal) as caught:
        read(target)
    assert caught.value.status == 400


def test_facts() -> None:
    message = parse(b"DESCRIBE rtsp://h/a?b RTSP/1.0\r\nUser-Agent: x\r\n\r\n")
    facts = RtspFacts(b"DESCRIBE", read(b"rtsp://h/a?b"), message)
    assert (facts.method, facts.host, facts.path, facts.query) == (b"DESCRIBE", b"h", b"/a", b"b")
    assert facts.header(b"user-agent") == b"x"
    assert facts.header(b"accept") is None
    assert facts.detach() is facts
