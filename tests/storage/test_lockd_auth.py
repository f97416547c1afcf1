"""Both sides prove that they know the secret, or nobody talks."""

from __future__ import annotations

import pytest

from l7lb_storage.errors import AuthenticationFailed, ProtocolViolation
from l7lb_storage.lockd import auth
from l7lb_storage.lockd.shapes import Json

SECRET = b"0123456789abcdef"
NONCE_A, NONCE_B, CLIENT = "a" * 32, "b" * 32, "c" * 32


def test_both_are_believed() -> None:
    assert auth.read_server(auth.hello_of_server(NONCE_A)) == NONCE_A
    hello = auth.hello_of_client(SECRET, CLIENT, NONCE_A, NONCE_B)
    assert auth.read_client(SECRET, hello, NONCE_A) == (CLIENT, NONCE_B)
    welcome = auth.welcome(SECRET, CLIENT, NONCE_A, NONCE_B)
    auth.read_welcome(SECRET, CLIENT, welcome, NONCE_A, NONCE_B)
    assert SECRET.decode() not in repr((hello, welcome))


def test_client_with_another_secret_or_an_old_proof() -> None:
    hello = auth.hello_of_client(b"wrong secret, 16", CLIENT, NONCE_A, NONCE_B)
    with pytest.raises(AuthenticationFailed):
        auth.read_client(SECRET, hello, NONCE_A)
    replayed = auth.hello_of_client(SECRET, CLIENT, NONCE_A, NONCE_B)
    with pytest.raises(AuthenticationFailed):
        auth.read_client(SECRET, replayed, "d" * 32)


def test_server_that_does_not_know_the_secret() -> None:
    for welcome in (
        auth.welcome(b"wrong secret, 16", CLIENT, NONCE_A, NONCE_B),
        auth.hello_of_client(SECRET, CLIENT, NONCE_A, NONCE_B),
        ["welcome", auth.hello_of_client(SECRET, CLIENT, NONCE_A, NONCE_B)[3]],  # type: ignore[index]
        ["welcome", "ü"],
        ["refused"],
        None,
    ):
        with pytest.raises(AuthenticationFailed):
            auth.read_welcome(SECRET, CLIENT, welcome, NONCE_A, NONCE_B)


@pytest.mark.parametrize(
    "found",
    [None, [], ["hello"], ["hello", 2, NONCE_A], ["hello", 1, "A" * 32], ["hello", 1, 5]],
)
def test_what_is_no_server(found: Json) -> None:
    with pytest.raises(ProtocolViolation):
        auth.read_server(found)


@pytest.mark.parametrize(
    "found",
    [
        None,
        ["hello", CLIENT, NONCE_B],
        ["hello", "x", NONCE_B, "p"],
        ["hello", CLIENT, "x", "p"],
        ["hello", CLIENT, NONCE_B, 5],
    ],
)
def test_what_is_no_client(found: Json) -> None:
    with pytest.raises(ProtocolViolation):
        auth.read_client(SECRET, found, NONCE_A)
