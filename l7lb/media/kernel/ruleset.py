"""The director's rules for media, as text for libnftables. Pure.

One table, `inet l7lb_media`. Its chains never change: they are the same on every director, and a
chain named for a digest of their text says which version the kernel has. What differs from file to
file are elements of sets and maps: one for each server, none for each session.

- Media is translated without connection tracking, in both directions by one map: there is no state
  that a second director would lack, and the port stays what it was.
- Whom a server sends media to (`flows`), and who has a control connection here (`clients`), may
  send to a server that answers through this director; anybody else is a stranger and dropped.
  Servers that answer directly look for strangers themselves: here nobody could know.
- `heard` keeps from which ports packets came; `latch` is for a player behind a router that changes
  them: keys are client, port, server, port.
- The end of a connection whose socket is quiet (`media.quiet`) is not said.
- A segment of control that belongs to no connection is dropped, not answered with a reset: a
  player whose director died goes on with its media. So is one of a server's.
"""

from __future__ import annotations

import hashlib

from l7lb.media.kernel.spec import NAT, Placed, Want, placement
from l7lb.media.quiet import PRIORITY

TABLE = "inet l7lb_media"
NAME = TABLE.split()[1]
VERSION_PREFIX = "version_"
MARK = 0x0020_0000
"""Packets of connections made with a client's address; the rest of the mark is left alone."""
CLIENTS_LIMIT = 65536
FLOWS_LIMIT = 65536
HEARD_LIMIT = 8192

_FAMILY = """
  map in{v} {{ type {address} . inet_service : {address}; flags interval; counter; }}
  map out{v} {{ type {address} . inet_service : {address}; flags interval; counter; }}
  set media{v} {{ type {address} . inet_service; flags interval; }}
  set vips{v} {{ type {address}; }}
  set servers{v} {{ type {address}; }}
  set guarded{v} {{ type {address}; }}
  set front{v} {{ type {address} . inet_service; }}
  set control{v} {{ type {address} . inet_service; }}
  set clients{v} {{
    type {address}; flags dynamic,timeout; size {clients}; timeout 10m;
  }}
  set flows{v} {{
    type {four}; flags dynamic,timeout; size {flows}; timeout 2m; counter;
  }}
  set heard{v} {{
    type {four}; flags dynamic,timeout; size {heard}; timeout 1m;
  }}
  map latch{v} {{ type {four} : inet_service; flags timeout; size {flows}; }}
  map unlatch{v} {{ type {four} : inet_service; flags timeout; size {flows}; }}

  chain from_client{v} {{
    {ip} daddr set {ip} daddr . udp dport map @in{v}
    {ip} daddr @vips{v} return
    notrack
    {ip} daddr @guarded{v} jump guard{v}
    add @heard{v} {{ {ip} saddr . udp sport . {ip} daddr . udp dport }}
    udp sport set {ip} saddr . udp sport . {ip} daddr . udp dport map @unlatch{v}
  }}
  chain guard{v} {{
    {ip} saddr @clients{v} return
    {ip} saddr . udp sport . {ip} daddr . udp dport @flows{v} return
    counter name strangers drop
  }}
  chain to_client{v} {{
    udp dport set {ip} daddr . udp dport . {ip} saddr . udp sport map @latch{v}
    update @flows{v} {{ {ip} daddr . udp dport . {ip} saddr . udp sport }}
    {ip} saddr set {ip} saddr . udp sport map @out{v}
  }}
"""
_HOOKS = """
  counter strangers {{}}
  counter lost {{}}
  counter unsaid {{}}

  chain no_connection {{
    ct state invalid counter name lost drop
    ct state new tcp flags & (fin|syn|rst|ack) != syn counter name lost drop
  }}
  chain arrive {{
    type filter hook prerouting priority raw; policy accept;
    meta l4proto udp ip saddr . udp sport @media4 notrack accept
    meta l4proto udp ip6 saddr . udp sport @media6 notrack accept
    meta l4proto udp ip daddr @vips4 goto from_client4
    meta l4proto udp ip6 daddr @vips6 goto from_client6
    meta l4proto udp accept
    ip saddr . tcp sport @control4 socket transparent 1 meta mark set meta mark or {mark}
    ip6 saddr . tcp sport @control6 socket transparent 1 meta mark set meta mark or {mark}
    meta l4proto {{ icmp, icmpv6 }} socket transparent 1 meta mark set meta mark or {mark}
  }}
  chain pass_on {{
    type filter hook forward priority mangle; policy accept;
    meta l4proto udp ip saddr @servers4 ct state untracked goto to_client4
    meta l4proto udp ip6 saddr @servers6 ct state untracked goto to_client6
    ip saddr . tcp sport @control4 goto no_connection
    ip6 saddr . tcp sport @control6 goto no_connection
  }}
  chain control_out {{
    type filter hook output priority mangle; policy accept;
    meta priority != 0:{quiet} accept
    tcp flags & (fin|rst) == 0 accept
    ip saddr . tcp sport @front4 counter name unsaid drop
    ip6 saddr . tcp sport @front6 counter name unsaid drop
    ip daddr . tcp dport @control4 counter name unsaid drop
    ip6 daddr . tcp dport @control6 counter name unsaid drop
  }}
  chain clients_in {{
    type filter hook input priority mangle; policy accept;
    ip daddr . tcp dport @front4 ct state established update @clients4 {{ ip saddr }} accept
    ip6 daddr . tcp dport @front6 ct state established update @clients6 {{ ip6 saddr }} accept
    ip daddr . tcp dport @front4 goto no_connection
    ip6 daddr . tcp dport @front6 goto no_connection
  }}
"""

SETS = ("in", "out", "media", "vips", "servers", "guarded", "front", "control")
"""Whose elements come from the file; the kernel fills the others."""
MANAGED = tuple(f"{name}{version}" for version in (4, 6) for name in SETS)


def _family(version: int) -> str:
    address = f"ipv{version}_addr"
    return _FAMILY.format(
        v=version,
        ip="ip" if version == 4 else "ip6",
        address=address,
        four=f"{address} . inet_service . {address} . inet_service",
        clients=CLIENTS_LIMIT,
        flows=FLOWS_LIMIT,
        heard=HEARD_LIMIT,
    )


BODY = _family(4) + _family(6) + _HOOKS.format(mark=f"0x{MARK:08x}", quiet=PRIORITY)
VERSION = VERSION_PREFIX + hashlib.sha256(BODY.encode()).hexdigest()[:12]


def skeleton() -> str:
    """Puts an empty table in the place of whatever is there, in one transaction."""
    return f"add table {TABLE}\n{removal()}table {TABLE} {{\n{BODY}  chain {VERSION} {{ }}\n}}\n"


def removal() -> str:
    """The table must be there."""
    return f"delete table {TABLE}\n"


def elements(want: Want) -> dict[str, frozenset[str]]:
    """All managed sets, the empty ones too."""
    found: dict[str, set[str]] = {name: set() for name in MANAGED}
    for each in placement(want).placed:
        _add_server(found, each)
    for service in want.services:
        for vip in service.vips:
            found[f"front{vip.version}"].update(f"{vip} . {port}" for port in service.ports)
    return {name: frozenset(texts) for name, texts in found.items()}


def _add_server(found: dict[str, set[str]], placed: Placed) -> None:
    server, vip, version = placed.server, placed.vip, placed.vip.version
    found[f"vips{version}"].add(str(vip))
    found[f"in{version}"].add(f"{vip} . {server.media_ports} : {server.address}")
    found[f"out{version}"].add(f"{server.address} . {server.media_ports} : {vip}")
    found[f"media{version}"].add(f"{server.address} . {server.media_ports}")
    found[f"servers{version}"].add(str(server.address))
    found[f"control{version}"].add(f"{server.address} . {server.port}")
    if NAT in server.modes:
        found[f"guarded{version}"].add(str(server.address))
