"""What a server sends, over real sockets: understood, refused with 502, or broken off.

A second request follows each entry and must get its own answer: nothing may be left over.
"""

from __future__ import annotations

import pytest

from badinput.answered import differences
from badinput.catalogue.case import HOST, Answer, ResponseCase
from badinput.catalogue.responses import RESPONSES
from badinput.client import Client
from badinput.director import Director

AFTER = Answer(200, b"after")


def ask(client: Client, case: ResponseCase) -> None:
    head = case.method + b" /case/" + case.name.encode() + b" HTTP/1.1\r\nHost: " + HOST + b"\r\n"
    client.send(head + case.fields + b"\r\n")


def ask_again(client: Client) -> None:
    client.send(b"GET /after HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n")
    assert differences(AFTER, client.read(b"GET")) == []


@pytest.mark.parametrize("case", RESPONSES, ids=lambda case: case.name)
def test_over_sockets(case: ResponseCase, director: Director) -> None:
    port = director.ports["scripted"]
    lines = [line.split(b": ", 1) for line in case.fields.split(b"\r\n") if line]
    with Client(port) as client:
        ask(client, case)
        answered = client.read(case.method, [(name, value) for name, value in lines])
        if case.answer is None:
            assert not answered.whole or answered.status == 502, answered
        else:
            assert differences(case.answer, answered) == []
        goes_on = answered.whole and (b"connection", b"close") not in answered.fields
        if goes_on:
            ask_again(client)
        else:
            client.read_close()
            assert client.talk.unread == b""
    with Client(port) as another:
        ask_again(another)
