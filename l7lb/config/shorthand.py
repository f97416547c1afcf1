"""Short forms to long forms: plain values of the file in, plain values out.

What is no short form is given back as it is, and the schema says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from l7lb.config.hints import nearest
from l7lb.config.refusal import Refusal
from l7lb.config.units import parse_duration, parse_size, shown

Expand = Callable[[object], object]

NONE = ("none", "off", False)
CHECKS = ("tcp", "http", "icmp", "imap", "pop3", "smtp", "lmtp", "none")


def listed(value: object) -> object:
    return [value] if isinstance(value, (str, int, float, dict)) else value


def keyed(key: str, *types: type) -> Expand:
    """A lone value of one of the types is the value of `key`."""

    def expand(value: object) -> object:
        is_short = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return {key: value} if is_short else value

    return expand


def switched(value: object) -> object:
    """`true`: all defaults; `false`, `none`, `off`: absent."""
    if value is True:
        return {}
    return None if isinstance(value, (str, bool)) and value in NONE else value


def chosen(value: object) -> object:
    if value is not True:
        raise Refusal(f"{shown(value)} is not true", "leave the key out instead")
    return True


def period(value: object) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        raise Refusal("0 is not allowed here: every wait has an end", "such as 30s")
    return seconds


def word(kind: str, known: tuple[str, ...], later: tuple[str, ...] = ()) -> Expand:
    """A lone word is the name of a key that is simply true: `rr` stands for `{rr: true}`."""

    def expand(value: object) -> object:
        if not isinstance(value, str):
            return value
        if value in later:
            raise Refusal(f"{kind} {shown(value)} is not supported by this version")
        if value not in known:
            raise Refusal(f"unknown {kind} {shown(value)}", nearest(value, known))
        return {value: True}

    return expand


def persistence(value: object) -> object:
    if isinstance(value, (str, bool)) and value in NONE:
        return None
    return word("persistence", ("source", "account"))(value)


def check(value: object) -> object:
    if value is False or value == "off":
        return {"none": True}
    return word("check", CHECKS, ("rtsp",))(value)


def http_path(value: object) -> object:
    return "/" if value is True else value


def outlier(value: object) -> object:
    if isinstance(value, (str, bool)) and value in NONE:
        return {"consecutive_errors": 0, "consecutive_connect_errors": 0, "latency_factor": 0}
    return value


def access_log(value: object) -> object:
    return {"format": "off"} if value is False else keyed("format", str)(value)


def shares(value: object) -> object:
    """One pool name stands for all of the share."""
    return {value: 1} if isinstance(value, str) else value


def value_match(value: object) -> object:
    """Text: equal to it; true: present."""
    if isinstance(value, str):
        return {"equals": value}
    if value is True:
        return {"present": True}
    if isinstance(value, (bool, int, float)):
        raise Refusal(f"{shown(value)} is not text", f'in quotes it is: "{shown(value)}"')
    return value


def send_proxy(value: object) -> int:
    known: dict[object, int] = {"none": 0, "v1": 1, "v2": 2}
    found = 0 if value is False else known.get(value) if isinstance(value, str) else None
    if found is None:
        raise Refusal(f"{shown(value)} is not a PROXY protocol version", "v1, v2 or none")
    return found


def workers(value: object) -> int:
    if value == "auto":
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1024:
        return value
    raise Refusal(f"{shown(value)} is not a number of workers", "auto, or from 1 to 1024")


def minimum_tls(value: object) -> str:
    if isinstance(value, (str, float)) and str(value) in {"1.2", "1.3"}:
        return str(value)
    raise Refusal(f"{shown(value)} is not a TLS version that is served", "1.2 or 1.3")


def secret(value: object) -> object:
    if isinstance(value, (str, int, float)):
        raise Refusal(
            "a secret never stands in the rules file", "write {file: PATH} or {env: NAME}"
        )
    return value


def smtp_login(value: object) -> object:
    if isinstance(value, str) and value != "client":
        raise Refusal(f"unknown login {shown(value)}", nearest(value, ("client",)))
    return {} if value == "client" else value


def start_tls(value: object) -> object:
    return {"start_tls": True} if value == "starttls" else value


def optional_key(words: tuple[str, ...]) -> Expand:
    """As `word`; `true` leaves the key to the scheduler."""
    expand_word = word("key", words)
    return lambda value: {} if value is True else expand_word(value)


def certificates(value: object) -> object:
    return {"certificates": value} if isinstance(value, (str, list)) else value


def listed_or_none(value: object) -> object:
    return [] if isinstance(value, (str, bool)) and value in NONE else listed(value)


def head_size(value: object) -> int:
    size = parse_size(value)
    if not 1024 <= size <= 2**20:
        raise Refusal(f"{shown(value)} is out of range", "from 1KiB to 1MiB")
    return size


def message_size(value: object) -> int:
    """At least what RFC 5321 §4.5.3.1.7 asks for."""
    size = parse_size(value)
    if not 65536 <= size <= 2**32:
        raise Refusal(f"{shown(value)} is out of range", "from 64KiB to 4GiB")
    return size


def penalty(value: object) -> object:
    return {"delays": []} if isinstance(value, (str, bool)) and value in NONE else value


def rate(value: object) -> object:
    """`{source: 100/1h}` stands for `{key: source, count: 100, per: 1h}`."""
    if not isinstance(value, dict) or not value or value.keys() & {"key", "count", "per"}:
        return value
    if len(value) > 1:
        raise Refusal("a rate has one key", "write a list: one rate, one item")
    [(key, given)] = value.items()
    count, slash, window = given.partition("/") if isinstance(given, str) else ("", "", "")
    if not slash or not re.fullmatch(r"[0-9]{1,7}", count):
        raise Refusal(f"{shown(given)} is not a rate", "such as 100/1h")
    return {"key": key, "count": int(count), "per": window}
