"""Certificates and secrets: the usable are passed over in silence, the rest is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from l7lb.config import credentials
from l7lb.config.nodes import Entry, Mapping, Scalar
from l7lb.config.refusal import Problems
from l7lb.config.schema_secret import Secret
from l7lb.config.scope import Scope
from l7lb.errors import ConfigError
from l7lb.model import Place

SECRET = b"0123456789abcdef"
VARIABLE = "L7LB_TEST_SECRET"
UNREADABLE = "cannot be read: no such file or directory"
SHORT = "rules.yaml:1:1: the secret is shorter than 16 bytes"

Told = Callable[[], list[str]]


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    """A rules file `{file: …, env: …}`, whose values stand on lines 2 and 3."""
    name = str(tmp_path / "rules.yaml")
    places = {"file": Place(name, 2, 7), "env": Place(name, 3, 7)}
    entries = {key: Entry(place, Scalar(place, "")) for key, place in places.items()}
    return Scope(Mapping(Place(name, 1, 1), entries), Problems())


@pytest.fixture
def told(scope: Scope, tmp_path: Path, pem_files: Path) -> Told:
    """The problems noted so far, without the folders, in the order of the file."""

    def problems() -> list[str]:
        try:
            scope.problems.raise_if_any([])
        except ConfigError as error:
            texts = map(str, error.problems)
            return [t.replace(f"{tmp_path}/", "").replace(f"{pem_files}/", "") for t in texts]
        return []

    return problems


@pytest.fixture
def locked_key(tmp_path: Path, pem_files: Path) -> str:
    key = load_pem_private_key((pem_files / "client.key").read_bytes(), None)
    locked = BestAvailableEncryption(b"password")
    path = tmp_path / "locked.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))  # type: ignore[arg-type]
    return str(path)


# --------------------------------------------------------------------------- certificates


@pytest.mark.parametrize(("chain", "key"), [("www.pem", None), ("client.pem", "client.key")])
def test_a_pair_that_fits(
    scope: Scope, told: Told, pem_files: Path, chain: str, key: str | None
) -> None:
    credentials.check_pair(scope, str(pem_files / chain), key and str(pem_files / key))
    assert told() == []


@pytest.mark.parametrize(
    ("chain", "key", "start"),
    [
        ("none.pem", None, f"none.pem {UNREADABLE}"),
        ("client.pem", "none.key", f"none.key {UNREADABLE}"),
        ("", None, "cannot be read: it is not a regular file"),
        (
            "client.pem",
            None,
            "certificate client.pem cannot be used: certificate or key is missing",
        ),
        (
            "client.key",
            None,
            "certificate client.key cannot be used: certificate or key is missing",
        ),
        ("client.pem", "www.pem", "certificate client.pem cannot be used: key values mismatch"),
    ],
)
def test_a_pair_that_cannot_be_used(
    scope: Scope, told: Told, pem_files: Path, chain: str, key: str | None, start: str
) -> None:
    credentials.check_pair(scope, str(pem_files / chain), key and str(pem_files / key))
    (problem,) = told()
    assert problem.startswith("rules.yaml:1:1: ")
    assert start in problem


def test_a_locked_key_asks_nobody_for_a_password(
    scope: Scope, told: Told, pem_files: Path, locked_key: str
) -> None:
    credentials.check_pair(scope, str(pem_files / "client.pem"), locked_key)
    message = "certificate client.pem cannot be used: the key is encrypted"
    assert told() == [f"rules.yaml:1:1: {message}"]


def test_a_pem_file_has_a_limit(scope: Scope, told: Told, tmp_path: Path) -> None:
    with (tmp_path / "huge.pem").open("wb") as file:
        file.truncate(credentials.PEM_LIMIT_BYTES + 1)
    credentials.check_pair(scope, str(tmp_path / "huge.pem"), None)
    assert told() == ["rules.yaml:1:1: huge.pem cannot be read: it has more than 8388608 bytes"]


def test_authorities(scope: Scope, told: Told, pem_files: Path) -> None:
    credentials.check_authorities(scope, str(pem_files / "ca.pem"))
    assert told() == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("client.key", "client.key holds no usable certificates: no certificate or crl found"),
        ("none.pem", f"none.pem {UNREADABLE}"),
    ],
)
def test_no_authorities(scope: Scope, told: Told, pem_files: Path, name: str, message: str) -> None:
    credentials.check_authorities(scope, str(pem_files / name))
    assert told() == [f"rules.yaml:1:1: {message}"]


@pytest.mark.parametrize("ciphers", ["HIGH", "ECDHE-RSA-AES128-GCM-SHA256:!aNULL"])
def test_ciphers(scope: Scope, told: Told, ciphers: str) -> None:
    credentials.check_ciphers(scope, ciphers)
    assert told() == []


@pytest.mark.parametrize("ciphers", ["NONESUCH", "HI\0GH"])
def test_no_ciphers(scope: Scope, told: Told, ciphers: str) -> None:
    credentials.check_ciphers(scope, ciphers)
    message = "OpenSSL knows none of these ciphers (see `openssl ciphers`)"
    assert told() == [f"rules.yaml:1:1: {message}"]


# --------------------------------------------------------------------------- secrets


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_secret_from_a_file_beside_the_rules(
    scope: Scope, told: Told, tmp_path: Path, end: bytes
) -> None:
    (tmp_path / "secret").write_bytes(SECRET + end)
    assert credentials.secret(scope, Secret(file="secret")) == SECRET
    assert told() == []


def test_a_secret_from_the_environment(
    scope: Scope, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SECRET.decode())
    assert credentials.secret(scope, Secret(env=VARIABLE)) == SECRET
    assert told() == []


@pytest.mark.parametrize("given", [Secret(), Secret(file="secret", env=VARIABLE)])
def test_a_secret_has_one_source(scope: Scope, told: Told, given: Secret) -> None:
    assert credentials.secret(scope, given) == b""
    assert told() == ["rules.yaml:1:1: a secret has exactly one of file and env"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (Secret(file="secret"), f"rules.yaml:2:7: secret {UNREADABLE}"),
        (
            Secret(env=VARIABLE),
            f"rules.yaml:3:7: the environment variable {VARIABLE} is not set",
        ),
    ],
)
def test_a_secret_that_is_not_there(
    scope: Scope, told: Told, monkeypatch: pytest.MonkeyPatch, given: Secret, problem: str
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert credentials.secret(scope, given) == b""
    assert told() == [problem]


def test_a_short_secret_in_a_file(scope: Scope, told: Told, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET[1:] + b"\n")
    credentials.secret(scope, Secret(file="secret"))
    assert told() == [SHORT]


@pytest.mark.parametrize("value", ["", "short"])
def test_a_short_secret_in_the_environment(
    scope: Scope, told: Told, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    credentials.secret(scope, Secret(env=VARIABLE))
    assert told() == [SHORT]


def test_a_secret_has_a_limit(scope: Scope, told: Told, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s" * (credentials.SECRET_LIMIT_BYTES + 1))
    assert credentials.secret(scope, Secret(file="secret")) == b""
    assert told() == ["rules.yaml:2:7: secret cannot be read: it has more than 65536 bytes"]
