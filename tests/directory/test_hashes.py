"""Every scheme of stored passwords: right, wrong, broken, too dear."""

from __future__ import annotations

import base64
import hashlib
import subprocess

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.directory import hashes, libcrypt
from l7lb.model_directory import HashKind
from support.slapd import program

PASSWORD = "schööl & \\ {x}"
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
BY_SLAPD = [
    "{SSHA}", "{SHA}", "{SSHA256}", "{SHA256}", "{SSHA512}", "{SHA512}", "{ARGON2}", "{CRYPT}",
]  # fmt: skip


def by_slapd(scheme: str) -> bytes:
    """As OpenLDAP itself makes it."""
    command = [
        program("slappasswd"),
        "-n",
        "-h",
        scheme,
        "-s",
        PASSWORD,
        "-o",
        "module-path=/usr/lib/ldap",
    ]
    command += ["-o", "module-load=pw-sha2", "-o", "module-load=argon2", "-c", "$6$%.16s"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize("scheme", BY_SLAPD)
def test_hashes_that_slapd_made(scheme: str) -> None:
    stored = by_slapd(scheme)
    assert hashes.is_known(stored)
    assert hashes.is_password(stored, PASSWORD.encode())
    assert not hashes.is_password(stored, PASSWORD.encode() + b"x")
    assert hashes.is_password(
        stored.replace(scheme.encode(), scheme.lower().encode()), PASSWORD.encode()
    )


@pytest.mark.parametrize(
    "stored",
    [
        b"{PBKDF2-SHA256}1000$TWlzdGVyUHJlc2lkZW50$",
        b"{CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
    ],
)
def test_md5_crypt_and_an_empty_digest(stored: bytes) -> None:
    assert hashes.is_known(stored)
    assert hashes.is_password(stored, b"password") is stored.startswith(b"{CRYPT}")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_pbkdf2(algorithm: str) -> None:
    digest = hashlib.pbkdf2_hmac(algorithm, b"secret", b"saltsalt", 1000)
    parts = [
        base64.b64encode(part).rstrip(b"=").replace(b"+", b".") for part in (b"saltsalt", digest)
    ]
    stored = f"{{PBKDF2-{algorithm.upper()}}}1000$".encode() + b"$".join(parts)
    assert hashes.is_password(stored, b"secret")
    assert not hashes.is_password(stored, b"Secret")


@pytest.mark.parametrize("kind", [HashKind.SCRAM, HashKind.ARGON2])
def test_new_hashes(kind: HashKind) -> None:
    stored = hashes.new(kind, b"secret")
    assert b"secret" not in stored
    assert hashes.is_known(stored)
    assert hashes.is_password(stored, b"secret")
    assert not hashes.is_password(stored, b"other")
    assert hashes.new(kind, b"secret") != stored
    assert (hashes.scram_keys((b"{SSHA}x", stored)) is not None) is (kind is HashKind.SCRAM)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"secret",
        b"{CLEARTEXT}secret",
        b"{PLAIN}secret",
        b"{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
        b"{SASL}alice@EXAMPLE.ORG",
        b"{}secret",
        b"{SSHA",
    ],
)
def test_plain_text_and_unknown_schemes_are_not_compared(stored: bytes) -> None:
    assert not hashes.is_known(stored)
    assert not hashes.is_password(stored, b"secret")


@pytest.mark.parametrize(
    "stored",
    [
        b"{SSHA}!!!",
        b"{SSHA}c2hvcnQ=",
        b"{CRYPT}",
        b"{CRYPT}*",
        b"{CRYPT}$9$what$ever",
        b"{ARGON2}$argon2id$v=19$m=64,t=1,p=1$!$!",
        b"{ARGON2}nothing",
        b"{PBKDF2}0$YQ$YQ",
        b"{PBKDF2}x",
        b"{SCRAM-SHA-256}broken",
    ],
)
def test_broken_hashes_fit_nothing(stored: bytes) -> None:
    assert not hashes.is_password(stored, b"secret")


@pytest.mark.parametrize(
    "stored",
    [
        b"{ARGON2}$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
        b"{ARGON2}$argon2id$v=19$m=64,t=1000,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
        b"{PBKDF2-SHA256}9999999$c2FsdA$aGFzaA",
        b"{SCRAM-SHA-256}9999999:c2FsdA==$" + b"A" * 43 + b"=:" + b"A" * 43 + b"=",
    ],
)
def test_hashes_that_would_cost_too_much_are_refused_at_once(stored: bytes) -> None:
    assert not hashes.is_password(stored, b"secret")


def test_argon2_of_each_kind() -> None:
    for kind in argon2.Type:
        hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, type=kind)
        stored = b"{ARGON2}" + hasher.hash("secret").encode()
        assert hashes.is_password(stored, b"secret")
        assert not hashes.is_password(stored, b"wrong")


def test_any_of_several() -> None:
    good = b"{ARGON2}" + CHEAP.hash("secret").encode()
    assert hashes.is_any((b"{SSHA}x", good), b"secret")
    assert not hashes.is_any((), b"secret")


@pytest.mark.parametrize("password", [b"", b"x" * 1025])
def test_passwords_have_limits(password: bytes) -> None:
    assert not hashes.is_password(b"{ARGON2}" + CHEAP.hash(password).encode(), password)


@given(st.binary(max_size=60), st.sampled_from(sorted(hashes.CHECKS)))
def test_whatever_is_stored_only_no_comes_out(rest: bytes, scheme: str) -> None:
    if scheme != "CRYPT":
        assert not hashes.is_password(b"{" + scheme.encode() + b"}" + rest, b"secret")


# --------------------------------------------------------------------------- libcrypt


def test_libcrypt_is_there() -> None:
    assert libcrypt.is_there()


@pytest.mark.parametrize("setting", [b"$6$saltsalt$", b"$5$saltsalt$", b"$1$saltsalt$", b"ab"])
def test_crypt(setting: bytes) -> None:
    made = libcrypt.crypt(b"secret", setting)
    assert made is not None
    assert made.startswith(setting.rstrip(b"$"))
    assert libcrypt.crypt(b"secret", made) == made
    assert libcrypt.crypt(b"other", made) != made


@pytest.mark.parametrize(
    ("password", "setting"), [(b"a\0b", b"$6$salt$"), (b"a", b"$6$\0"), (b"a", b""), (b"a", b"*0")]
)
def test_crypt_refuses(password: bytes, setting: bytes) -> None:
    assert libcrypt.crypt(password, setting) is None


def test_without_libcrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypt, "_crypt_rn", lambda: None)
    assert libcrypt.crypt(b"a", b"$6$salt$") is None
    assert not hashes.is_known(b"{CRYPT}$6$salt$x")
    assert not hashes.is_password(b"{CRYPT}$6$salt$x", b"a")


def test_a_system_whose_library_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    find = libcrypt._crypt_rn.__wrapped__
    monkeypatch.setattr(libcrypt, "NAMES", ("libnone.so.9", "libc.so.6"))
    assert find() is None
    monkeypatch.setattr(libcrypt, "NAMES", ("libnone.so.9", "libcrypt.so.1"))
    assert find() is not None
