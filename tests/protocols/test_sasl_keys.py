"""Keys as the directory holds them (RFC 5803)."""

import hashlib

import pytest

from l7lb_protocols.sasl.errors import SaslMalformed
from l7lb_protocols.sasl.keys import ScramKeys, fake_keys

KEYS = ScramKeys.derive(b"pencil", b"salt of 16 bytes", 5000)
TEXT = KEYS.text()


def test_there_and_back() -> None:
    assert ScramKeys.parse(TEXT) == KEYS
    assert ScramKeys.parse(b" scram-sha-256 $ " + TEXT[14:]) == KEYS
    assert TEXT.startswith(b"SCRAM-SHA-256$5000:c2FsdCBvZiAxNiBieXRlcw==$")


def test_from_the_salted_password() -> None:
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", KEYS.salt, 5000)
    assert ScramKeys.from_salted(salted, KEYS.salt, 5000) == KEYS


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SCRAM-SHA-256",
        TEXT.replace(b"256", b"1"),
        TEXT.replace(b"5000", b"4095"),
        TEXT.replace(b"5000", b"99999999"),
        TEXT.replace(b"5000", b"999999999"),
        TEXT.replace(b"5000", b"-1"),
        TEXT.replace(b"5000", b""),
        TEXT[:-1],
        TEXT[:-4],
        TEXT + b"$x",
        TEXT.rpartition(b":")[0],
        b"SCRAM-SHA-256$5000:" + TEXT[TEXT.rindex(b"$") :],
    ],
)
def test_nonsense(text: bytes) -> None:
    with pytest.raises(ValueError):
        ScramKeys.parse(text)


def test_keys_are_not_shown() -> None:
    shown = repr(KEYS)
    assert repr(KEYS.stored) not in shown
    assert repr(KEYS.server) not in shown


def test_size_of_fake_salt() -> None:
    assert len(fake_keys(b"s", b"joe", 4096, 12).salt) == 12
    for size in (0, 33):
        with pytest.raises(ValueError):
            fake_keys(b"s", b"joe", 4096, size)


def test_error_says_what_and_where() -> None:
    assert str(SaslMalformed("message is not Base64", "RFC 4648 §4")) == (
        "message is not Base64 (RFC 4648 §4)"
    )
    assert str(SaslMalformed("too long")) == "too long"
