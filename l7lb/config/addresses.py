"""Addresses, networks and host names as they stand in the file."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from l7lb.config.refusal import Refusal
from l7lb.config.units import shown
from l7lb.model import Address

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r"[0-9]{1,5}")
_ZONE = re.compile(r"[0-9A-Za-z._-]{1,15}")
"""Name or number of a network interface."""
UNIX = "unix:"
UNIX_LIMIT = 107
"""Bytes of a path that sun_path holds, unix(7)."""


def server_address(value: object) -> Address:
    """`10.0.0.1:80`, `[2001:db8::1]:80`, `name.example:80` or `unix:PATH`."""
    address = _address(value, lowest_port=1)
    if address.host == "*":
        raise Refusal(f"{shown(value)} names no server", "such as 10.0.0.1:80")
    return address


def host_address(value: object) -> Address:
    """As for a server; without a port, the port is 0 and others say what it is."""
    if not isinstance(value, str) or not _is_bare_host(value):
        return server_address(value)
    return Address(_host(value, value), 0)


def _is_bare_host(text: str) -> bool:
    in_brackets = text.startswith("[") and text.endswith("]")
    return in_brackets or (bool(text) and ":" not in text and text != "*")


def portless(address: Address) -> str:
    """As it was written before it had a port."""
    return f"[{address.host}]" if ":" in address.host else address.host


def listen_address(value: object) -> Address:
    """As for a server, but no name to look up, and `*` for every address of the host."""
    address = _address(value, lowest_port=0)
    if address.host.startswith(UNIX) or address.host == "*" or is_ip(address.host):
        return address
    raise Refusal(f"{shown(value)} is not an address of this host", 'an IP address, or "*:80"')


def is_one_word(text: str) -> bool:
    return bool(text) and text.isprintable() and " " not in text


def is_ip(text: str) -> bool:
    """A literal address; its zone, which Python takes as it is, must be a plain word."""
    try:
        ip_address(text)
    except ValueError:
        return False
    _, percent, zone = text.partition("%")
    return not percent or _ZONE.fullmatch(zone) is not None


def ip(value: object) -> str:
    """A literal address in its usual form."""
    text = _text(value, "an IP address").removeprefix("[").removesuffix("]")
    if not is_ip(text) or "%" in text:
        raise Refusal(f"{shown(text)} is not an IP address", "such as 192.0.2.10")
    return str(ip_address(text))


def network(value: object) -> str:
    """A network in CIDR form; a lone address is a network of one."""
    if not isinstance(value, str):
        raise Refusal(f"{shown(value)} is not a network", "such as 10.0.0.0/8")
    try:
        return str(ip_network(value))
    except ValueError:
        raise Refusal(f"{shown(value)} is not a network", _network_hint(value)) from None


def host_pattern(value: object) -> bytes:
    """A host that clients ask for: exact, or `*.example.org`. Lower case in the result."""
    text = _text(value, "a host")
    if text == "*":
        raise Refusal("every host matches without being named", "leave the key out")
    bare = text.removeprefix("*.")
    if bare.startswith("[") and bare.endswith("]") and is_ip(bare[1:-1]) and bare == text:
        return text.lower().encode("ascii")
    if not _HOST.fullmatch(bare) or len(bare) > 253:
        raise Refusal(f"{shown(text)} is not a host", _host_hint(bare))
    return text.lower().encode("ascii")


def host_name(value: object) -> str:
    text = _text(value, "a host name")
    if not _HOST.fullmatch(text) and not is_ip(text):
        raise Refusal(f"{shown(text)} is not a host name", _host_hint(text))
    return text


def _address(value: object, lowest_port: int) -> Address:
    if isinstance(value, int) and not isinstance(value, bool):
        raise Refusal(f"{value} is a port without an address", f'write "*:{value}" or IP:{value}')
    text = _text(value, "an address")
    if text.startswith(UNIX):
        return _unix(text)
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
        raise Refusal(f"{shown(text)} has no port", _port_hint(text))
    if not _PORT.fullmatch(port) or not lowest_port <= int(port) <= 65535:
        raise Refusal(f"{shown(port)} is not a port", f"from {lowest_port} to 65535")
    return Address(_host(host, text), int(port))


def _host(host: str, text: str) -> str:
    if host.startswith("["):
        inner = host[1:-1]
        if not host.endswith("]") or ":" not in inner or not is_ip(inner):
            raise Refusal(f"{shown(text)} holds no IPv6 address", "such as [2001:db8::1]:80")
        return str(ip_address(inner))
    if host == "*" or is_ip(host):
        return host
    if not _HOST.fullmatch(host) or len(host) > 253 or re.fullmatch(r"[0-9.]+", host):
        raise Refusal(f"{shown(text)} holds no valid host", _host_hint(host))
    return host


def _unix(text: str) -> Address:
    path = text.removeprefix(UNIX)
    if not path or len(path.encode()) > UNIX_LIMIT or not is_one_word(path):
        raise Refusal(f"{shown(text)} is not a socket path", f"1 to {UNIX_LIMIT} bytes, no space")
    return Address(text, 0)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise Refusal(f"{shown(value)} is not {what}", "text is needed")
    return value


def no_port(address: Address) -> Refusal:
    text = portless(address)
    return Refusal(f"{shown(text)} has no port", _port_hint(text))


def _port_hint(text: str) -> str:
    if text.endswith("]"):
        return f"such as {text}:80"
    if ":" in text:
        return f"an IPv6 address stands in brackets: [{text}]:80" if is_ip(text) else ""
    named = text == "*" or _HOST.fullmatch(text)
    return f"such as {text}:80" if named else "such as 10.0.0.1:80"


def _host_hint(host: str) -> str:
    if not host.isascii():
        return "write the name in its xn-- form"
    if "*" in host:
        return "a wildcard is *. and a domain, as in *.example.org"
    if re.fullmatch(r".+:[0-9]+", host):
        return "without the port"
    return ""


def _network_hint(text: str) -> str:
    try:
        return f"the network is {ip_network(text, strict=False)}"
    except ValueError:
        return "such as 10.0.0.0/8 or 2001:db8::/32"


def is_this_host(host: str) -> bool:
    """What goes there leaves no network card."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
