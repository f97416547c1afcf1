"""What the specifications of mail can answer by themselves."""

from __future__ import annotations

from l7lb.model import Address, ServerSpec
from l7lb.model_mail import LoginOptions, PenaltySpec


def test_a_server_has_ports_by_protocol_or_its_address_alone() -> None:
    ports = (("imap", 1143), ("lmtp", 24))
    server = ServerSpec("m1", Address("10.0.0.1", 1143), ports=ports)
    assert (server.port("imap"), server.port("lmtp"), server.port("pop3")) == (1143, 24, 0)


def test_the_same_words_make_the_same_specification() -> None:
    """So that a reload sees that nothing has changed."""
    assert LoginOptions() == LoginOptions(penalty=PenaltySpec())
    assert LoginOptions() != LoginOptions(max_sessions=1)
