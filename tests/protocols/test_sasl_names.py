"""Names in one spelling, secrets untouched, and what is refused of both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.sasl.errors import SaslMalformed
from l7lb_protocols.sasl.names import check_secret, prepare_name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"joe", b"joe"),
        (b"Joe@Example.ORG", b"Joe@Example.ORG"),
        (b"joe doe", b"joe doe"),
        (b"(mail=*)\\,dc=x", b"(mail=*)\\,dc=x"),
        ("ju\u0308rgen".encode(), "jürgen".encode()),
        ("日本".encode(), "日本".encode()),
        (b"x" * 255, b"x" * 255),
    ],
)
def test_name(raw: bytes, name: bytes) -> None:
    assert prepare_name(raw) == name


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x" * 256,
        b" joe",
        b"joe ",
        b"j\0e",
        b"j\r\ne",
        b"j\x7fe",
        b"j\xff",
        b"\xed\xa0\x80",
        "joe\u00a0".encode(),
        "joe\u200b".encode(),
        "j\u00adoe".encode(),
        "\u202ejoe".encode(),
        "joe\u2028".encode(),
        "joe\u0085".encode(),
        "joe\ue000".encode(),
        "joe\u0378".encode(),
    ],
)
def test_refused_name(raw: bytes) -> None:
    with pytest.raises(SaslMalformed):
        prepare_name(raw)


def test_name_that_grows_in_normal_form() -> None:
    raw = "\u0958".encode()
    assert len(prepare_name(raw)) > len(raw)
    with pytest.raises(SaslMalformed, match="too long"):
        prepare_name(raw, len(raw))


def test_secret_is_not_changed() -> None:
    for secret in (b"x", b" with spaces ", "u\u0308".encode(), b"x" * 1024, b'"\\{5+}'):
        assert check_secret(secret) == secret


@pytest.mark.parametrize("secret", [b"", b"x" * 1025, b"a\0b", b"a\nb", b"a\rb", b"\x7f", b"\xff"])
def test_refused_secret(secret: bytes) -> None:
    with pytest.raises(SaslMalformed):
        check_secret(secret)


@given(st.text(min_size=1, max_size=40))
def test_normal_form_is_stable(text: str) -> None:
    try:
        name = prepare_name(text.encode("utf-8", "surrogatepass"))
    except SaslMalformed:
        return
    assert prepare_name(name) == name
    assert name.decode().isprintable()
