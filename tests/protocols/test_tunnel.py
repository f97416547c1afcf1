"""TLS passed on unseen: the server is chosen by name, the bytes that were read go first."""

import pytest

from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.tunnel import TunnelSession
from l7lb_protocols.wire import CLIENT, FAILED, PENDING, PHASE_TUNNEL, READY, SERVER, Decision


class Ledger:
    """A wire that answers as told and writes down what is wished."""

    failure = 503
    set_cookie = b""
    draining = False
    full = False

    def __init__(self, connects: int, retries: int = FAILED, decision: Decision | None = None):
        self.connects, self.retries = connects, retries
        self.decision = decision or Decision()
        self.wishes: list[tuple[object, ...]] = []

    def decide(self, facts: PlainFacts) -> Decision:
        self.wishes.append(("decide", facts.sni))
        return self.decision

    def connect(self, facts: PlainFacts, careful: bool) -> int:
        return self.connects

    def retry(self, facts: PlainFacts, same: bool) -> int:
        self.wishes.append(("retry", same))
        return self.retries

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: self.wishes.append((name, *arguments))


def begun(wire: Ledger) -> TunnelSession:
    session = TunnelSession(wire, PlainFacts(host=b"a.test", sni=b"a.test", source="192.0.2.1"))  # type: ignore[arg-type]
    session.start(b"hello")
    return session


def names(wire: Ledger) -> list[object]:
    return [wish[0] for wish in wire.wishes]


def test_the_hello_goes_first_and_then_everything() -> None:
    wire = Ledger(READY)
    begun(wire)
    assert wire.wishes == [
        ("decide", b"a.test"),
        ("send", SERVER, b"hello"),
        ("hold", False),
        ("phase", PHASE_TUNNEL),
        ("relay", CLIENT, -1),
        ("relay", SERVER, -1),
    ]


def test_what_comes_while_connecting_is_kept_and_the_client_held() -> None:
    wire = Ledger(PENDING)
    session = begun(wire)
    session.client_data(b" more")
    session.server_ready()
    assert ("hold", True) in wire.wishes
    assert ("send", SERVER, b"hello more") in wire.wishes


def test_one_end_is_passed_on_and_two_close() -> None:
    wire = Ledger(READY)
    session = begun(wire)
    session.relayed(CLIENT)
    assert wire.wishes[-1] == ("end", SERVER)
    session.relayed(SERVER)
    assert names(wire)[-3:] == ["release", "log", "close"]


@pytest.mark.parametrize("refused", [True, False])
def test_without_a_server_the_connection_is_broken_off(refused: bool) -> None:
    decision = Decision()
    decision.reply = (404, [], b"") if refused else None
    wire = Ledger(FAILED, decision=decision)
    begun(wire)
    assert names(wire)[-3:] == ["release", "log", "abort"]


def test_another_server_is_tried_when_one_cannot_be_reached() -> None:
    wire = Ledger(PENDING, retries=READY)
    session = begun(wire)
    session.server_failed(502)
    assert ("retry", False) in wire.wishes
    assert ("send", SERVER, b"hello") in wire.wishes
    assert session.tries == 1
