"""SCRAM-SHA-256: the RFC's own example, every refusal, and no difference for unknown accounts."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.sasl.errors import SaslMalformed, SaslProblem, SaslRejected
from l7lb_protocols.sasl.keys import ScramKeys, fake_keys
from l7lb_protocols.sasl.scram import ScramExchange
from l7lb_protocols.sasl.steps import Challenge, Credentials, KeysWanted

# RFC 7677 §3
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_NONCE = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
NONCE = b"rOprNGfwEbeRWgbNEkqO" + SERVER_NONCE
SERVER_FIRST = b"r=" + NONCE + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = b"c=biws,r=" + NONCE + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

KEYS = ScramKeys.derive(b"pencil", SALT)


def started(first: bytes = CLIENT_FIRST, keys: ScramKeys = KEYS) -> ScramExchange:
    server = ScramExchange()
    assert isinstance(server.begin(first), KeysWanted)
    server.supply(keys, SERVER_NONCE)
    return server


def final(first: bytes, password: bytes, *, extra: bytes = b"") -> bytes:
    """What a right client says at last, written again from RFC 5802 §3."""
    header = first[: first.index(b"n=")]
    bare = first[len(header) :]
    without = b"c=" + base64.b64encode(header) + b",r=" + NONCE + extra
    salted = hashlib.pbkdf2_hmac("sha256", password, SALT, 4096)
    client = hmac.digest(salted, b"Client Key", "sha256")
    signed = b",".join((bare, SERVER_FIRST, without))
    signature = hmac.digest(hashlib.sha256(client).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
    return without + b",p=" + base64.b64encode(proof)


def test_example_of_rfc_7677() -> None:
    server = ScramExchange()
    assert server.begin(None) == Challenge(b"")
    assert server.respond(CLIENT_FIRST) == KeysWanted(b"user", b"")
    assert server.supply(KEYS, SERVER_NONCE) == Challenge(SERVER_FIRST)
    assert server.respond(CLIENT_FINAL) == Challenge(SERVER_FINAL)
    assert server.respond(b"") == Credentials(b"SCRAM-SHA-256", b"user", proven=True)


@pytest.mark.parametrize(
    ("header", "as_whom"),
    [(b"n,,", b""), (b"y,,", b""), (b"n,a=other=2Cone,", b"other,one"), (b"y,a=b=3Dc,", b"b=c")],
)
def test_header_is_bound(header: bytes, as_whom: bytes) -> None:
    first = header + CLIENT_FIRST[3:]
    server = started(first)
    assert server.respond(final(first, b"pencil")) == Challenge(
        b"v="
        + base64.b64encode(
            hmac.digest(
                KEYS.server,
                b",".join(
                    (
                        CLIENT_FIRST[3:],
                        SERVER_FIRST,
                        final(first, b"pencil").rpartition(b",p=")[0],
                    )
                ),
                "sha256",
            )
        )
    )
    done = server.respond(b"")
    assert isinstance(done, Credentials)
    assert (done.account, done.authorize_as, done.proven) == (b"user", as_whom, True)


def test_extensions_are_ignored_where_allowed() -> None:
    first = CLIENT_FIRST + b",x=what"
    server = started(first)
    assert isinstance(server.respond(final(first, b"pencil", extra=b",y=ever")), Challenge)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n,,",
        b"n=user,r=abc",
        b"p=tls-unique,,n=user,r=abc",
        b"p=tls-exporter,,n=user,r=abc",
        b"p,,n=user,r=abc",
        b"x,,n=user,r=abc",
        b"n,b=x,n=user,r=abc",
        b"n,a=,n=user,r=abc",
        b"n,,m=ext,n=user,r=abc",
        b"n,,n=,r=abc",
        b"n,,n=user",
        b"n,,n=user,r=",
        b"n,,r=abc,n=user",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,n=us\xffer,r=abc",
        b"n,,n=us\0er,r=abc",
        b"n,,n=user,r=a\x7fbc",
        b"n,,n=user,r=abc,",
        b"n,,n=user,r=" + b"a" * 257,
        b"n,,n=" + b"u" * 256 + b",r=abc",
    ],
)
def test_malformed_first(first: bytes) -> None:
    with pytest.raises(SaslMalformed):
        ScramExchange().begin(first)


@pytest.mark.parametrize(
    "last",
    [
        b"",
        b"c=biws",
        CLIENT_FINAL[:-1],
        CLIENT_FINAL + b",x=y",
        CLIENT_FINAL.replace(b"c=biws", b"c=eSws"),
        CLIENT_FINAL.replace(b"c=biws", b"c=biw"),
        CLIENT_FINAL.replace(b"%hvY", b"%hvX"),
        CLIENT_FINAL.replace(b"p=d", b"p=*"),
        CLIENT_FINAL.rpartition(b",p=")[0],
    ],
)
def test_malformed_final(last: bytes) -> None:
    with pytest.raises(SaslMalformed):
        started().respond(last)


@pytest.mark.parametrize(
    "last",
    [
        final(CLIENT_FIRST, b"pencils"),
        CLIENT_FINAL.replace(b"p=dH", b"p=eH"),
        CLIENT_FINAL.rpartition(b"p=")[0] + b"p=QQ==",
    ],
)
def test_wrong_proof(last: bytes) -> None:
    with pytest.raises(SaslRejected) as problem:
        started().respond(last)
    assert problem.value.account == b"user"


def test_client_must_be_silent_at_the_end() -> None:
    server = started()
    server.respond(CLIENT_FINAL)
    with pytest.raises(SaslMalformed):
        server.respond(b"x")


def test_unknown_account_takes_the_same_path() -> None:
    fake = fake_keys(b"cluster secret", b"user")
    assert fake == fake_keys(b"cluster secret", b"user")
    assert fake.salt != fake_keys(b"cluster secret", b"other").salt
    assert fake.salt != fake_keys(b"another secret", b"user").salt
    server = ScramExchange()
    server.begin(CLIENT_FIRST)
    challenge = server.supply(fake, SERVER_NONCE)
    assert len(challenge.message) == len(SERVER_FIRST)
    with pytest.raises(SaslRejected):
        server.respond(CLIENT_FINAL)


@pytest.mark.parametrize("nonce", [b"", b"short", b"x" * 17 + b",", b"x" * 17 + b" ", b"\xff" * 18])
def test_weak_nonce_is_ours_to_avoid(nonce: bytes) -> None:
    server = ScramExchange()
    server.begin(CLIENT_FIRST)
    with pytest.raises(ValueError):
        server.supply(KEYS, nonce)


@given(st.binary(max_size=120) | st.from_regex(rb"c=biws,r=[a-z]+,p=[A-Z]+", fullmatch=True))
def test_whatever_comes_last(message: bytes) -> None:
    with pytest.raises(SaslProblem):
        started().respond(message)
