"""PLAIN, LOGIN and EXTERNAL from both sides, and which mechanisms are offered when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.sasl.client import ClientExchange, ExternalClient, LoginClient, PlainClient
from l7lb_protocols.sasl.errors import SaslMalformed
from l7lb_protocols.sasl.exchange import (
    ExternalExchange,
    LoginExchange,
    PlainExchange,
    ServerExchange,
)
from l7lb_protocols.sasl.offer import MECHANISMS, exchange, offer
from l7lb_protocols.sasl.scram import ScramExchange
from l7lb_protocols.sasl.steps import Challenge, Credentials


def talk(client: ClientExchange, server: ServerExchange, *, with_initial: bool) -> Credentials:
    initial = client.initial if with_initial else None
    if initial is not None:
        client.sent_initial()
    step = server.begin(initial)
    for _ in range(4):
        if isinstance(step, Credentials):
            return step
        assert isinstance(step, Challenge)
        step = server.respond(client.respond(step.message))
    raise AssertionError("no end")


@pytest.mark.parametrize("with_initial", [True, False])
def test_both_sides_meet(with_initial: bool) -> None:
    assert talk(
        PlainClient(b"master", b"s3 cret", b"joe"), PlainExchange(), with_initial=with_initial
    ) == Credentials(b"PLAIN", b"master", b"joe", b"s3 cret")
    assert talk(
        LoginClient(b"joe", b"s3cret"), LoginExchange(), with_initial=with_initial
    ) == Credentials(b"LOGIN", b"joe", b"", b"s3cret")
    assert talk(
        ExternalClient(b"joe"), ExternalExchange(b"proxy"), with_initial=with_initial
    ) == Credentials(b"EXTERNAL", b"proxy", b"joe", proven=True)
    assert talk(
        ExternalClient(), ExternalExchange(b"joe"), with_initial=with_initial
    ) == Credentials(b"EXTERNAL", b"joe", proven=True)


def test_login_takes_the_name_as_initial_response() -> None:
    server = LoginExchange()
    assert server.begin(b"joe") == Challenge(b"Password:")
    assert server.respond(b"x") == Credentials(b"LOGIN", b"joe", b"", b"x")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"joe",
        b"joe\0x",
        b"\0joe\0x\0",
        b"\0\0x",
        b"\0joe\0",
        b"\0j\xff\0x",
        b"\0joe\0\xff",
        b"a\x01\0joe\0x",
        b"\0joe\r\n\0x",
        b"\0joe\0x\r\nA LOGOUT",
    ],
)
def test_malformed_plain(message: bytes) -> None:
    with pytest.raises(SaslMalformed):
        PlainExchange().begin(message)


def test_malformed_external() -> None:
    with pytest.raises(SaslMalformed):
        ExternalExchange(b"joe").begin(b"a\0b")


def test_client_is_not_asked_twice() -> None:
    client = PlainClient(b"joe", b"x")
    client.respond(b"")
    with pytest.raises(SaslMalformed):
        client.respond(b"")
    for parts in ((b"a\0", b"x"), (b"a", b"x\0"), (b"a", b"x", b"\0b")):
        with pytest.raises(ValueError):
            PlainClient(*parts)


@pytest.mark.parametrize(
    ("as_whom", "mailbox", "is_on_behalf"),
    [(b"", b"joe", False), (b"joe", b"joe", False), (b"eve", b"eve", True)],
)
def test_whose_mailbox(as_whom: bytes, mailbox: bytes, is_on_behalf: bool) -> None:
    found = PlainExchange().begin(as_whom + b"\0joe\0x")
    assert isinstance(found, Credentials)
    assert (found.mailbox, found.is_on_behalf) == (mailbox, is_on_behalf)


def test_secret_is_not_shown() -> None:
    assert "hunter2" not in repr(PlainExchange().begin(b"\0joe\0hunter2"))


ALL = (b"SCRAM-SHA-256", b"PLAIN", b"LOGIN", b"EXTERNAL")


@pytest.mark.parametrize(
    ("secret_safe", "certificate", "names"),
    [
        (True, b"joe", ALL),
        (True, b"", ALL[:3]),
        (False, b"", ALL[:1]),
        (False, b"joe", (ALL[0], ALL[3])),
    ],
)
def test_offer(secret_safe: bool, certificate: bytes, names: tuple[bytes, ...]) -> None:
    assert offer(ALL, secret_safe=secret_safe, certificate=certificate) == names


def test_exchange_for_each_mechanism() -> None:
    assert set(MECHANISMS) == set(ALL)
    assert [exchange(name, b"joe").name for name in ALL] == list(ALL)
    assert isinstance(exchange(b"SCRAM-SHA-256"), ScramExchange)
    with pytest.raises(KeyError):
        exchange(b"CRAM-MD5")
    with pytest.raises(KeyError):
        offer((b"CRAM-MD5",), secret_safe=True, certificate=b"")


@given(st.sampled_from(ALL), st.lists(st.binary(max_size=30), max_size=3))
def test_only_documented_errors(name: bytes, messages: list[bytes]) -> None:
    server = exchange(name, b"joe")
    try:
        step = server.begin(messages[0] if messages else None)
        for message in messages[1:]:
            if not isinstance(step, Challenge):
                break
            step = server.respond(message)
    except SaslMalformed:
        pass
