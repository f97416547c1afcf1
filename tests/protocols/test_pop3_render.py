"""Builders of POP3: no value becomes syntax."""

import pytest

from l7lb_protocols.pop3.render import body, command, continuation, err, line, ok


def test_words() -> None:
    assert command(b"CAPA") == b"CAPA\r\n"
    assert command(b"PASS", b"a b ") == b"PASS a b \r\n"
    assert ok(b"Go on.") == b"+OK Go on.\r\n"
    assert err(b"no") == b"-ERR no\r\n"
    assert err(b"no", b"SYS/TEMP") == b"-ERR [SYS/TEMP] no\r\n"
    assert body(b"x", (b"TOP", b".", b"..a")) == b"+OK x\r\nTOP\r\n..\r\n...a\r\n.\r\n"
    assert body(b"x", ()) == b"+OK x\r\n.\r\n"
    assert continuation(b"") == b"+ \r\n"


@pytest.mark.parametrize("text", [b"a\r\nDELE 1", b"a\n", b"a\r", b"\0"])
def test_nothing_is_injected(text: bytes) -> None:
    for build in (
        lambda: command(b"PASS", text),
        lambda: command(text),
        lambda: ok(text),
        lambda: err(text),
        lambda: err(b"x", text),
        lambda: body(text, ()),
        lambda: body(b"x", (text,)),
        lambda: continuation(text),
        lambda: line(text),
    ):
        with pytest.raises(ValueError):
            build()


def test_code_is_one() -> None:
    for code in (b"A] x", b"a", b"A B"):
        with pytest.raises(ValueError):
            err(b"x", code)
