"""The states of a dialogue: distinct, and where a dialogue begins."""

from l7lb_protocols.http import states
from l7lb_protocols.http.forwarded import ClientInfo
from l7lb_protocols.http.scanner import RequestScanner, ResponseScanner
from l7lb_protocols.http.session import HttpSession, HttpSettings
from l7lb_protocols.wire import PENDING, Decision
from support.playbook import PLAIN, RecordingWire


def values(prefix: str) -> list[int]:
    return [value for name, value in vars(states).items() if name.startswith(prefix)]


def test_states_of_one_half_differ() -> None:
    for prefix in ("ASK_", "ANSWER_"):
        assert sorted(values(prefix)) == list(range(len(values(prefix))))


def test_a_dialogue_begins_with_nothing_asked() -> None:
    settings = HttpSettings(RequestScanner(), ResponseScanner(), PLAIN)
    wire = RecordingWire(Decision(), [PENDING], [])
    session = HttpSession(wire, settings, ClientInfo("192.0.2.1"))
    assert (session.ask, session.answer) == (states.ASK_HEAD, states.ANSWER_NONE)
    session.client_data(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (session.ask, session.answer) == (states.ASK_DONE, states.ANSWER_CONNECT)
