"""Players behind a router that changes their ports: what was heard, and the two maps. Pure.

Table `heardN` holds whence packets came; `latchN` and `unlatchN` turn the port that SETUP named
into the one that was heard, and back. N is 4 or 6. Director and media server have the same sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from l7lb.media.netfilter import elements

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Path:
    """One stream's one way: the port of the client is the one that SETUP named."""

    client: Address
    client_port: int
    server: Address
    server_port: int

    @property
    def version(self) -> int:
        return self.client.version

    def key(self, client_port: int) -> str:
        return f"{self.client} . {client_port} . {self.server} . {self.server_port}"


class Heard(StrEnum):
    """What came from a client's address to a server's port."""

    SILENT = "silent"
    AS_NAMED = "as-named"
    """From the port that SETUP named: nothing stands between."""
    ELSEWHERE = "elsewhere"


def latch(table: str, path: Path, seen_port: int, timeout_s: int) -> str:
    """Commands; a latch that is there begins its time anew."""
    lines = []
    for name, at, value in _maps(path, seen_port):
        element = f"{table} {name} {{ {at} timeout {timeout_s}s : {value} }}"
        lines += [f"add element {element}", f"delete element {table} {name} {{ {at} }}"]
        lines.append(f"add element {element}")
    return "".join(line + "\n" for line in lines)


def unlatch(table: str, path: Path, seen_port: int) -> str:
    """The kernel refuses to delete what is not there."""
    maps = _maps(path, seen_port)
    return "".join(f"delete element {table} {name} {{ {at} }}\n" for name, at, _ in maps)


def _maps(path: Path, seen_port: int) -> tuple[tuple[str, str, int], tuple[str, str, int]]:
    version, named = path.version, path.client_port
    return (
        (f"latch{version}", path.key(named), seen_port),
        (f"unlatch{version}", path.key(seen_port), named),
    )


def judge(objects: Iterable[Mapping[str, Any]], path: Path) -> tuple[Heard, int]:
    """From the listing of `heard`: what came, and from which port. The first that came decides,
    but one from the port that was named excels it."""
    first: tuple[float, int] | None = None
    for each in objects:
        for element in each.get("set", {}).get("elem", ()):
            body = element["elem"]
            client, port, server, server_port = body["val"]["concat"]
            if (client, server, server_port) != _ends(path):
                continue
            if port == path.client_port:
                return Heard.AS_NAMED, port
            age = (float(body.get("expires", 0)), int(port))
            first = min(first, age) if first is not None else age
    return (Heard.ELSEWHERE, first[1]) if first is not None else (Heard.SILENT, 0)


def _ends(path: Path) -> tuple[str, str, int]:
    return str(path.client), str(path.server), path.server_port


def latched_port(objects: Iterable[Mapping[str, Any]], path: Path) -> int:
    """From the listing of `latch`: the port that was heard; 0 without a latch."""
    return _entries(objects).get(path.key(path.client_port), 0)


def has_key(objects: Iterable[Mapping[str, Any]], key: str) -> bool:
    """From the listing of either map."""
    return key in _entries(objects)


def _entries(objects: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    return {
        elements.text(key): int(value)
        for each in objects
        for key, value in each.get("map", {}).get("elem", ())
    }


def flows(objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """From the listing of `flows`: client, its port, server, its port, packets, octets."""
    found = []
    for each in objects:
        for element in each.get("set", {}).get("elem", ()):
            body = element["elem"]
            client, port, server, server_port = body["val"]["concat"]
            counter = body.get("counter", {})
            found.append(
                {
                    "client": client,
                    "client_port": port,
                    "server": server,
                    "server_port": server_port,
                    "packets": counter.get("packets", 0),
                    "octets": counter.get("bytes", 0),
                }
            )
    return found
