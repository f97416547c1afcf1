"""SCRAM-SHA-256 against RFC 7677's own example, and the stored forms."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from l7lb.directory import scram

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
AUTH = (
    b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)


def test_the_example_of_rfc_7677() -> None:
    keys = scram.derived(b"pencil", SALT, 4096)
    server_signature = hmac.digest(keys.server_key, AUTH, "sha256")
    assert base64.b64encode(server_signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(keys.stored_key, AUTH, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == keys.stored_key


def test_there_and_back() -> None:
    keys = scram.made(b"secret", 4096)
    assert scram.parsed(scram.stored(keys)) == keys
    assert scram.is_password(keys, b"secret")
    assert not scram.is_password(keys, b"Secret")
    assert scram.made(b"secret", 4096) != keys


def test_all_stored_forms() -> None:
    keys = scram.derived(b"pencil", SALT, 4096)
    salt, stored, server = (
        base64.b64encode(part).decode() for part in (keys.salt, keys.stored_key, keys.server_key)
    )
    for text in (
        f"{{SCRAM-SHA-256}}4096:{salt}${stored}:{server}",
        f"{{scram-sha-256}}SCRAM-SHA-256$4096:{salt}${stored}:{server}",
        f"SCRAM-SHA-256$4096:{salt}${stored}:{server}",
        f"{{SCRAM-SHA-256}}4096,{salt},{stored},{server}",
    ):
        assert scram.parsed(text.encode()) == keys


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{SSHA}abc",
        b"{SCRAM-SHA-256}",
        b"{SCRAM-SHA-256}0:YQ==$" + b"A" * 43 + b"=:" + b"A" * 43 + b"=",
        b"{SCRAM-SHA-256}9999999:YQ==$" + b"A" * 43 + b"=:" + b"A" * 43 + b"=",
        b"{SCRAM-SHA-256}4096:YQ=$" + b"A" * 43 + b"=:" + b"A" * 43 + b"=",
        b"{SCRAM-SHA-256}4096:====$" + b"A" * 43 + b"=:" + b"A" * 43 + b"=",
        b"{SCRAM-SHA-256}4096:YQ==$" + b"A" * 42 + b"==:" + b"A" * 43 + b"=",
    ],
)
def test_no_verifiers(value: bytes) -> None:
    assert scram.parsed(value) is None


def test_passwords_are_prepared_as_clients_do() -> None:
    assert scram.prepared("ﬁ\u2168".encode()) == b"fiIX"
    assert scram.prepared(b"\xff") == b"\xff"
