"""Requests, answers and news of a relay as datagrams: one JSON object each.

`{"id": 7, "verb": "touch", …}` is answered by `{"id": 7, "ok": …}` or
`{"id": 7, "error": CODE, "text": …}`; news come as `{"news": EVENT, …}`. Owns the bytes, strictly:
an unknown key, a wrong type or a value out of range is refused. Must not know sockets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from ipaddress import ip_address
from typing import Any

from l7lb.media.relay.verbs import (
    Close,
    Counters,
    Event,
    Hear,
    News,
    Open,
    Opened,
    Peers,
    Ports,
    Refusal,
    RelayRefusal,
    Request,
    Touch,
)

REQUEST_BYTES = 4096
REPLY_BYTES = 65536
NAME_CHARACTERS = 256
TIMEOUT_S = (1.0, 86_400.0)
STREAMS = 1024
NUMBER_MAX = (1 << 53) - 1
"""What every reader of JSON holds exactly."""

VERBS: dict[str, type[Request]] = {
    "open": Open,
    "peers": Peers,
    "touch": Touch,
    "close": Close,
    "counters": Counters,
    "hear": Hear,
}
_NAMES = {kind: name for name, kind in VERBS.items()}


class WireError(Exception):
    """Not a message of this protocol. `number` is that of the request, where it could be read."""

    def __init__(self, text: str, number: int = -1) -> None:
        super().__init__(text)
        self.number = number


Reply = Opened | dict[str, object] | RelayRefusal

# --------------------------------------------------------------------------- requests


def encode_request(number: int, request: Request) -> bytes:
    return _dump({"id": number, "verb": _NAMES[type(request)], **asdict(request)})


def decode_request(data: bytes) -> tuple[int, Request]:
    """Raises WireError."""
    found = _object(data, REQUEST_BYTES)
    number = _number(found.pop("id", None))
    verb = found.pop("verb", None)
    kind = VERBS.get(verb) if isinstance(verb, str) else None
    if kind is None:
        raise WireError(f"no such verb: {str(verb)[:40]}", number)
    try:
        return number, _request(kind, found)
    except (ValueError, TypeError) as error:
        raise WireError(f"{verb}: {error}", number) from None


def _request(kind: type[Request], found: Mapping[str, object]) -> Request:
    """Raises ValueError, and TypeError where a field is missing."""
    known = {each.name for each in fields(kind)}
    if not found.keys() <= known:
        raise ValueError(f"unknown: {', '.join(sorted(found.keys() - known))[:80]}")
    made: Request = kind(**{name: CHECKS[name](name, value) for name, value in found.items()})
    return made


def _address(name: str, value: object) -> str:
    """In its one form; IPv4 where IPv6 holds one. A zone would name another machine's link."""
    if not isinstance(value, str) or "%" in value or len(value) > 45:
        raise ValueError(f"{name} is no IP address")
    found = ip_address(value)
    plain = found.ipv4_mapped or found if found.version == 6 else found
    if plain.is_unspecified or plain.is_multicast:
        raise ValueError(f"{name} is no single host's address")
    return str(plain)


def _name(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > NAME_CHARACTERS or not value.isprintable():
        raise ValueError(f"{name} is no text of at most {NAME_CHARACTERS} characters")
    return value


def _server(name: str, value: object) -> str:
    return _address(name, value) if value else ""


def _seconds(name: str, value: object) -> float:
    """0 stands for "as it is"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no number")
    if value and not TIMEOUT_S[0] <= value <= TIMEOUT_S[1]:
        raise ValueError(f"{name} is not from {TIMEOUT_S[0]} to {TIMEOUT_S[1]}")
    return float(value)


def _integer(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} is no number from {least} to {most}")
    return value


def _ports(name: str, value: object) -> Ports:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name} is not two ports")
    return _integer(name, value[0], 0, 65535), _integer(name, value[1], 0, 65535)


def _ssrc(name: str, value: object) -> int | None:
    return None if value is None else _integer(name, value, 0, (1 << 32) - 1)


def _stream(name: str, value: object) -> int:
    return _integer(name, value, -1, STREAMS)


CHECKS: dict[str, Callable[[str, object], Any]] = {
    "client": _address,
    "server": _server,
    "client_local": _address,
    "server_local": _address,
    "session": _name,
    "alias": _name,
    "timeout_s": _seconds,
    "silent_s": _seconds,
    "stream": _stream,
    "client_ports": _ports,
    "server_ports": _ports,
    "ssrc": _ssrc,
}

# --------------------------------------------------------------------------- answers, news


def encode_reply(number: int, reply: Reply) -> bytes:
    if isinstance(reply, RelayRefusal):
        return _dump({"id": number, "error": reply.code.value, "text": str(reply)[:200]})
    value = asdict(reply) if isinstance(reply, Opened) else reply
    return _dump({"id": number, "ok": value})


def encode_news(news: News) -> bytes:
    found = asdict(news)
    return _dump({"news": found.pop("event").value, **found})


def decode_answer(data: bytes) -> tuple[int, Reply] | News:
    """An answer with its request's number, or news. Raises WireError."""
    found = _object(data, REPLY_BYTES)
    if "news" in found:
        return _news(found)
    number = _number(found.get("id"))
    if "error" in found:
        return number, _refusal(found, number)
    value = found.get("ok")
    if not isinstance(value, dict):
        raise WireError("an answer says neither ok nor error", number)
    return number, value


def opened(value: Mapping[str, object]) -> Opened:
    """What Open is answered. Raises WireError."""
    try:
        return Opened(
            _name("session", value["session"]),
            _stream("stream", value["stream"]),
            _ports("client_ports", value["client_ports"]),
            _ports("server_ports", value["server_ports"]),
        )
    except (KeyError, ValueError) as error:
        raise WireError(f"opened: {error}") from None


def _refusal(found: Mapping[str, object], number: int) -> RelayRefusal:
    try:
        return RelayRefusal(Refusal(str(found["error"])), str(found.get("text", "")))
    except ValueError:
        raise WireError("unknown refusal", number) from None


def _news(found: dict[str, object]) -> News:
    try:
        event = Event(str(found.pop("news")))
        counters = found.pop("counters", {})
        if not isinstance(counters, dict):
            raise ValueError("counters are no object")
        values = {name: NEWS_CHECKS[name](name, value) for name, value in found.items()}
        return News(event, counters=counters, **values)
    except (KeyError, ValueError, TypeError) as error:
        raise WireError(f"news: {error}") from None


def _port(name: str, value: object) -> int:
    return _integer(name, value, 0, 65535)


NEWS_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "session": _name,
    "alias": _name,
    "side": _name,
    "stream": _stream,
    "port": _port,
    "told": _port,
}


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= NUMBER_MAX:
        raise WireError("no number of a request")
    return value


def _object(data: bytes, limit: int) -> dict[str, object]:
    if len(data) > limit:
        raise WireError(f"more than {limit} octets")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise WireError("no JSON") from None
    if not isinstance(found, dict):
        raise WireError("no object")
    return found


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
