"""Our own cookie."""

from hypothesis import given
from hypothesis import strategies as st

from l7lb.model import PersistenceKind, PersistenceSpec
from l7lb.persistence.cookie import CookiePins, token
from l7lb_protocols.facts import PlainFacts

SPEC = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")


def build(spec=SPEC, pool="web", secret=b"k", servers=("a1", "a2")):
    pins = CookiePins(spec, pool, secret)
    pins.set_servers(servers)
    return pins


def pair(set_cookie):
    name, value = set_cookie.split(b";")[0].split(b"=", 1)
    return PlainFacts(cookies={name: value})


def test_a_cookie_leads_back_to_its_server():
    pins = build()
    assert pins.find(pair(pins.set_cookie("a2"))) == "a2"
    assert pins.find(PlainFacts()) is None


def test_every_director_agrees():
    assert build().set_cookie("a1") == build().set_cookie("a1")


def test_the_value_is_opaque():
    value = token(b"k", "web", "10.0.1.1:80")
    assert len(value) == 22
    assert set(value) <= set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_another_secret_pool_or_server_gives_another_value():
    values = {
        token(b"k", "web", "a1"),
        token(b"x", "web", "a1"),
        token(b"k", "api", "a1"),
        token(b"k", "web", "a2"),
        token(b"k", "we", "ba1"),
    }
    assert len(values) == 5


@given(st.binary(max_size=40))
def test_what_was_not_signed_misses(value):
    assert build().find(PlainFacts(cookies={b"L7LB": value})) is None


def test_a_cookie_of_a_server_that_left_misses():
    pins = build()
    facts = pair(pins.set_cookie("a2"))
    pins.set_servers(["a1"])
    assert pins.find(facts) is None


def test_attributes():
    value = token(b"k", "web", "a1")
    assert build().set_cookie("a1") == b"L7LB=" + value + b"; Path=/; HttpOnly; SameSite=Lax"
    spec = PersistenceSpec(
        PersistenceKind.COOKIE,
        timeout_s=90.5,
        same_site="",
        path="/app",
        domain="example.org",
    )
    assert build(spec).set_cookie("a1") == (
        b"L7LB=" + value + b"; Path=/app; Domain=example.org; Max-Age=90; HttpOnly"
    )
