"""Addresses, networks and host names: what is read, what is refused, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from l7lb.config import addresses
from l7lb.config.refusal import Refusal
from l7lb.model import Address

LONGEST_PATH = "unix:/" + "a" * (addresses.UNIX_LIMIT - 1)
LABEL = "a" * 63
LONGEST_HOST = ".".join([LABEL, LABEL, LABEL, "a" * 61])
A_SERVER = "such as 10.0.0.1:80"
XN = "write the name in its xn-- form"
WILDCARD = "a wildcard is *. and a domain, as in *.example.org"


def refusal(read: Callable[[object], object], value: object) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        read(value)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1:80", Address("10.0.0.1", 80)),
        ("10.0.0.1:65535", Address("10.0.0.1", 65535)),
        ("[2001:DB8:0::1]:80", Address("2001:db8::1", 80)),
        ("web_1.example:8080", Address("web_1.example", 8080)),
        (f"{LABEL}:80", Address(LABEL, 80)),
        (f"{LONGEST_HOST}:80", Address(LONGEST_HOST, 80)),
        ("unix:/run/web.sock", Address("unix:/run/web.sock", 0)),
        (LONGEST_PATH, Address(LONGEST_PATH, 0)),
    ],
)
def test_server_addresses(text: str, address: Address) -> None:
    assert addresses.server_address(text) == address


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("*:80", "'*:80' names no server", A_SERVER),
        (80, "80 is a port without an address", 'write "*:80" or IP:80'),
        (True, "true is not an address", "text is needed"),
        (None, "nothing is not an address", "text is needed"),
        ("", "'' is not an address", "text is needed"),
        ({}, "a mapping is not an address", "text is needed"),
        ("10.0.0.1", "'10.0.0.1' has no port", A_SERVER),
        ("web", "'web' has no port", "such as web:80"),
        ("*", "'*' has no port", "such as *:80"),
        ("a b", "'a b' has no port", A_SERVER),
        ("[::1]", "'[::1]' has no port", "such as [::1]:80"),
        ("::1", "'::1' has no port", "an IPv6 address stands in brackets: [::1]:80"),
        ("http://web:80", "'http://web:80' has no port", ""),
        ("web:0", "'0' is not a port", "from 1 to 65535"),
        ("web:65536", "'65536' is not a port", "from 1 to 65535"),
        ("web:http", "'http' is not a port", "from 1 to 65535"),
        ("web:٨٠", "'٨٠' is not a port", "from 1 to 65535"),
        ("web:", "'' is not a port", "from 1 to 65535"),
        ("[10.0.0.1]:80", "'[10.0.0.1]:80' holds no IPv6 address", "such as [2001:db8::1]:80"),
        ("[::1:80", "'[::1:80' holds no IPv6 address", "such as [2001:db8::1]:80"),
        (":80", "':80' holds no valid host", ""),
        ("-web:80", "'-web:80' holds no valid host", ""),
        ("10.0.0.256:80", "'10.0.0.256:80' holds no valid host", ""),
        ("010.0.0.1:80", "'010.0.0.1:80' holds no valid host", ""),
        ("é.org:80", "'é.org:80' holds no valid host", XN),
        ("*.a.org:80", "'*.a.org:80' holds no valid host", WILDCARD),
        ("unix:", "'unix:' is not a socket path", "1 to 107 bytes, no space"),
        ("unix:/a b", "'unix:/a b' is not a socket path", "1 to 107 bytes, no space"),
        ("unix:/a\nb", r"'unix:/a\nb' is not a socket path", "1 to 107 bytes, no space"),
    ],
)
def test_no_server_addresses(value: object, message: str, hint: str) -> None:
    assert refusal(addresses.server_address, value) == (message, hint)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (LONGEST_PATH + "a", "is not a socket path"),
        ("unix:/" + "é" * 54, "is not a socket path"),
        (f"a{LABEL}:80", "holds no valid host"),
        (f"{LONGEST_HOST}a:80", "holds no valid host"),
    ],
    ids=["path", "path of two-byte letters", "label", "host"],
)
def test_what_is_too_long(text: str, end: str) -> None:
    message, _ = refusal(addresses.server_address, text)
    assert message.endswith(end)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("*:80", Address("*", 80)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("[::]:443", Address("::", 443)),
        ("unix:/run/l7lb.sock", Address("unix:/run/l7lb.sock", 0)),
    ],
)
def test_listen_addresses(text: str, address: Address) -> None:
    assert addresses.listen_address(text) == address


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("web:80", "'web:80' is not an address of this host", 'an IP address, or "*:80"'),
        ("*:65536", "'65536' is not a port", "from 0 to 65535"),
        (443, "443 is a port without an address", 'write "*:443" or IP:443'),
    ],
)
def test_no_listen_addresses(value: object, message: str, hint: str) -> None:
    assert refusal(addresses.listen_address, value) == (message, hint)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
    ],
)
def test_networks(text: str, network: str) -> None:
    assert addresses.network(text) == network


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("10.0.0.1/8", "'10.0.0.1/8' is not a network", "the network is 10.0.0.0/8"),
        ("2001:db8::1/32", "'2001:db8::1/32' is not a network", "the network is 2001:db8::/32"),
        ("web", "'web' is not a network", "such as 10.0.0.0/8 or 2001:db8::/32"),
        ("10.0.0.0/33", "'10.0.0.0/33' is not a network", "such as 10.0.0.0/8 or 2001:db8::/32"),
        (10, "10 is not a network", "such as 10.0.0.0/8"),
        (None, "nothing is not a network", "such as 10.0.0.0/8"),
    ],
)
def test_no_networks(value: object, message: str, hint: str) -> None:
    assert refusal(addresses.network, value) == (message, hint)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("WWW.Example.org", b"www.example.org"),
        ("*.Example.org", b"*.example.org"),
        ("10.0.0.1", b"10.0.0.1"),
        ("[2001:DB8::1]", b"[2001:db8::1]"),
        (LONGEST_HOST, LONGEST_HOST.encode()),
    ],
)
def test_host_patterns(text: str, host: bytes) -> None:
    assert addresses.host_pattern(text) == host


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("*", "every host matches without being named", "leave the key out"),
        ("www.*", "'www.*' is not a host", WILDCARD),
        ("*.*.org", "'*.*.org' is not a host", WILDCARD),
        ("*.", "'*.' is not a host", ""),
        ("*.[::1]", "'*.[::1]' is not a host", ""),
        ("www.example.org:80", "'www.example.org:80' is not a host", "without the port"),
        ("é.org", "'é.org' is not a host", XN),
        (7, "7 is not a host", "text is needed"),
        ("", "'' is not a host", "text is needed"),
    ],
)
def test_no_host_patterns(value: object, message: str, hint: str) -> None:
    assert refusal(addresses.host_pattern, value) == (message, hint)


@pytest.mark.parametrize("text", ["www.Example.org", "a_b", "10.0.0.1", "2001:db8::1"])
def test_host_names_stay_as_written(text: str) -> None:
    assert addresses.host_name(text) == text


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("web:80", "'web:80' is not a host name", "without the port"),
        ("*.org", "'*.org' is not a host name", WILDCARD),
        ("é", "'é' is not a host name", XN),
        ("a..b", "'a..b' is not a host name", ""),
        (False, "false is not a host name", "text is needed"),
    ],
)
def test_no_host_names(value: object, message: str, hint: str) -> None:
    assert refusal(addresses.host_name, value) == (message, hint)


@pytest.mark.parametrize(
    ("text", "is_one"), [("a", True), ("é/1", True), ("", False), ("a b", False), ("a\tb", False)]
)
def test_one_word(text: str, is_one: bool) -> None:
    assert addresses.is_one_word(text) is is_one


@pytest.mark.parametrize("zone", ["é", "a\x1bb", "a b", "", "x" * 16])
def test_a_zone_must_be_the_name_of_an_interface(zone: str) -> None:
    assert addresses.is_ip("fe80::1%eth0")
    assert not addresses.is_ip(f"fe80::1%{zone}")
