"""Paths and mailboxes: what the grammar allows, what the world needs, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.address import NULL, Address, parse_mailbox, parse_path
from l7lb_protocols.smtp.errors import SmtpRefusal

GOOD: dict[bytes, tuple[bytes, bytes]] = {
    b"<a@b.example>": (b"a", b"b.example"),
    b"<a.b+c=d@b>": (b"a.b+c=d", b"b"),
    b"<a@b.example.>": (b"a", b"b.example."),
    b"<A@B.Example>": (b"A", b"B.Example"),
    b'<"a"@b>': (b"a", b"b"),
    b'<"a b"@c>': (b"a b", b"c"),
    b'<"a@b>"@c>': (b"a@b>", b"c"),
    b'<"a\\"\\\\b"@c>': (b'a"\\b', b"c"),
    b"<a..b@c>": (b"a..b", b"c"),
    b"<.a.@c>": (b".a.", b"c"),
    b"<a@[192.0.2.1]>": (b"a", b"[192.0.2.1]"),
    b"<a@[IPv6:2001:db8::1]>": (b"a", b"[IPv6:2001:db8::1]"),
    b"<a@[tag:x.y]>": (b"a", b"[tag:x.y]"),
    b"<@x.example:a@b>": (b"a", b"b"),
    b"<@x,@[192.0.2.1]:a@b>": (b"a", b"b"),
    b"<a@my_host>": (b"a", b"my_host"),
    b"<postmaster>": (b"postmaster", b""),
    b"<j\xc3\xb6@b\xc3\xa4r.example>": (b"j\xc3\xb6", b"b\xc3\xa4r.example"),
    b"<" + b"l" * 64 + b"@d>": (b"l" * 64, b"d"),
    b"<a@" + b".".join([b"d" * 49] * 5) + b">": (b"a", b".".join([b"d" * 49] * 5)),
    b"<>": (b"", b""),
    b" <a@b>": (b"a", b"b"),
    b"a@b": (b"a", b"b"),
}
BAD = [
    b"",
    b"<",
    b"<a@b",
    b"a@b>",
    b"<a@>",
    b"<@b>",
    b"<a@b@c>",
    b"<a b@c>",
    b"<a@b c>",
    b"<<a@b>>",
    b"<a@b>x",
    b"<a@b><c@d>",
    b"<a@-b>",
    b"<a@b->",
    b"<a@b..c>",
    b"<a@.b>",
    b'<"a@b>',
    b'<"a"b@c>',
    b'<"a\tb"@c>',
    b'<""@c>',
    b"<a@[192.0.2.256]>",
    b"<a@[192.0.2.1>",
    b"<a@[IPv6:xyz]>",
    b"<a@[]>",
    b"<a@[:x]>",
    b"<@x:>",
    b"<@x a@b>",
    b"<a(comment)@b>",
    b"<a\\@b@c>",
    b"<a@b\xff>",
    b"<\xc3@b>",
    b"<" + b"l" * 65 + b"@d>",
    b"<a@" + b"d" * 64 + b">",
    b"<a@" + b".".join([b"d" * 49] * 6) + b">",
    b"<" + b"l" * 64 + b"@" + b".".join([b"d" * 50] * 4) + b">",
]


@pytest.mark.parametrize("text", GOOD)
def test_good(text: bytes) -> None:
    assert parse_path(text) == (Address(*GOOD[text]), b"")


@pytest.mark.parametrize("text", GOOD)
def test_what_follows_is_left(text: bytes) -> None:
    assert parse_path(text + b"  SIZE=1 X ") == (Address(*GOOD[text]), b"SIZE=1 X")


@pytest.mark.parametrize("text", GOOD)
def test_written_and_read_again(text: bytes) -> None:
    address, _ = parse_path(text)
    assert parse_path(b"<" + address.text + b">", strict=True) == (address, b"")


@pytest.mark.parametrize("text", BAD)
def test_bad(text: bytes) -> None:
    with pytest.raises(SmtpRefusal, match=r"501 5\.1\.3"):
        parse_path(text)


@pytest.mark.parametrize("text", [b" <a@b>", b"a@b"])
def test_strict_forgives_nothing(text: bytes) -> None:
    with pytest.raises(SmtpRefusal):
        parse_path(text, strict=True)


def test_mailbox() -> None:
    assert parse_mailbox(b'"a b"@c') == Address(b"a b", b"c")
    for text in (b"<a@b>", b"a@b x", b"", b"a" * 65 + b"@b", b"l" * 60 + b"@" + b"d." * 120 + b"d"):
        with pytest.raises(SmtpRefusal):
            parse_mailbox(text)


def test_properties() -> None:
    assert NULL.is_null
    assert NULL.text == b""
    assert Address(b"Ann", b"Example.ORG").key == b"ann@example.org"
    assert Address(b'a"\\', b"c").text == b'"a\\"\\\\"@c'
    assert Address(b"a", b"c").is_ascii
    assert not Address(b"a", b"\xc3\xa4").is_ascii
    assert not Address(b"a").is_null


@given(st.from_regex(rb"[ -~]{1,64}", fullmatch=True), st.sampled_from([b"d.example", b"[::1]"]))
def test_any_local_part_survives(local: bytes, domain: bytes) -> None:
    domain = domain.replace(b"[:", b"[IPv6::")
    address = Address(local, domain)
    assert parse_path(b"<" + address.text + b">", strict=True) == (address, b"")


@given(st.binary(max_size=60))
def test_only_refusals(text: bytes) -> None:
    try:
        address, rest = parse_path(b"<" + text)
    except SmtpRefusal:
        return
    assert not set(address.text) & set(b"\r\n\0")
    assert text.endswith(rest) or rest in text
