"""Texts of `media.hot_files`: directories, addresses, the path before a file's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

from l7lb.config.refusal import Refusal
from l7lb.config.texts import text_of
from l7lb.config.units import shown
from l7lb.model_hot_files import NODE, Socket

PATH_LIMIT = 1024
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})")


def folder(value: object) -> str:
    """An absolute path, in which `{node}` may stand."""
    text = text_of(value)
    if not text.startswith("/") or len(text) > PATH_LIMIT:
        raise Refusal(f"{shown(text)} is no absolute path", "such as /srv/films")
    if {".", ".."} & set(text.split("/")) or text == "/":
        raise Refusal(f"{shown(text)} is no directory for this", "no . or .., and not /")
    rest = text.replace(NODE, "")
    if "{" in rest or "}" in rest or not text.isprintable():
        raise Refusal(f"{shown(text)} has characters with no meaning here", f"known: {NODE}")
    return text.rstrip("/")


def socket(port: int) -> Callable[[object], Socket]:
    """Reads `HOST:PORT`, or `HOST` alone for this port."""

    def read(value: object) -> Socket:
        text = text_of(value)
        found = _WITH_PORT.fullmatch(text)
        host = (found[1] or found[2]) if found else text
        number = int(found[3]) if found else port
        if number > 65535 or not _is_host(host):
            hint = f"such as 239.255.76.76 or 10.0.0.1:{port}"
            raise Refusal(f"{shown(text)} is no address", hint)
        return Socket(host, number)

    return read


def interface(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"[^\s/:]{1,15}", text):
        raise Refusal(f"{shown(text)} is no name of an interface", "such as eth1")
    return text


def url(value: object) -> str:
    text = text_of(value)
    if not text.startswith("/") or not text.isprintable() or len(text) > PATH_LIMIT:
        raise Refusal(f"{shown(text)} is no path of a URL", "such as / or /vod")
    return text


def _is_host(host: str) -> bool:
    if host == "*" or _NAME.fullmatch(host):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
