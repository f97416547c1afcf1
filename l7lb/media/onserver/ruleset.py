"""A media server's rules for answering straight to players, as text for libnftables. Pure.

Its media leaves with the VIP as source, without connection tracking: what comes back by the
director bears the server's own address, and tracking would take the two for strangers and change
ports. The set names are those of the director's table, so latches work on both.
"""

from __future__ import annotations

import hashlib

from l7lb.media.onserver.spec import OnServerSpec, Side

TABLE = "inet l7lb_onserver"
NAME = TABLE.split()[1]
VERSION_PREFIX = "version_"
SIZE = 65536
HEARD_SIZE = 8192

_SETS = """
  set clients{v} {{ type {address}; flags dynamic,timeout; size {size}; timeout 10m; }}
  set flows{v} {{ type {four}; flags dynamic,timeout; size {size}; timeout 2m; counter; }}
  set heard{v} {{ type {four}; flags dynamic,timeout; size {heard}; timeout 1m; }}
  map latch{v} {{ type {four} : inet_service; flags timeout; size {size}; }}
  map unlatch{v} {{ type {four} : inet_service; flags timeout; size {size}; }}
"""
_CHAINS = """
  chain media_out{v} {{
    type filter hook output priority raw; policy accept;
    {ip} saddr {address} udp sport {ports} {beside} notrack
  }}
  chain translate{v} {{
    type filter hook postrouting priority raw; policy accept;
    {ip} saddr {address} udp sport {ports} {beside} goto to_client{v}
  }}
  chain to_client{v} {{
    udp dport set {ip} daddr . udp dport . {ip} saddr . udp sport map @latch{v}
    update @flows{v} {{ {ip} daddr . udp dport . {ip} saddr . udp sport }}
    counter {ip} saddr set {vip}
  }}
  chain media_in{v} {{
    type filter hook prerouting priority raw; policy accept;
    {ip} daddr {address} udp dport {ports} {whence} goto from_client{v}
  }}
  chain from_client{v} {{
    notrack
    {guard}
    add @heard{v} {{ {ip} saddr . udp sport . {ip} daddr . udp dport }}
    udp sport set {ip} saddr . udp sport . {ip} daddr . udp dport map @unlatch{v}
  }}
  chain guard{v} {{
    {ip} saddr @clients{v} return
    {ip} saddr . udp sport . {ip} daddr . udp dport @flows{v} return
    counter drop
  }}
  chain clients_in{v} {{
    type filter hook input priority mangle; policy accept;
    {ip} daddr {address} tcp dport {rtsp} ct state established update @clients{v} {{ {ip} saddr }}
  }}
"""


def skeleton(spec: OnServerSpec) -> str:
    """Puts the whole table in the place of what is there, in one transaction."""
    body = "".join(_side(spec, side) for side in spec.sides)
    version = f"  chain {version_of(spec)} {{ }}\n"
    return f"add table {TABLE}\n{removal()}table {TABLE} {{{body}{version}}}\n"


def removal() -> str:
    """The table must be there."""
    return f"delete table {TABLE}\n"


def version_of(spec: OnServerSpec) -> str:
    """Name of the chain that says what the table was made from."""
    body = "".join(_side(spec, side) for side in spec.sides)
    return VERSION_PREFIX + hashlib.sha256(body.encode()).hexdigest()[:12]


def _side(spec: OnServerSpec, side: Side) -> str:
    version = side.address.version
    ip, kind = ("ip", "ipv4_addr") if version == 4 else ("ip6", "ipv6_addr")
    four = f"{kind} . inet_service . {kind} . inet_service"
    relays = ", ".join(sorted(map(str, side.relays)))
    ports = f"{spec.first_port}-{spec.last_port}"
    sets = _SETS.format(v=version, address=kind, four=four, size=SIZE, heard=HEARD_SIZE)
    return sets + _CHAINS.format(
        v=version,
        ip=ip,
        address=side.address,
        vip=side.vip,
        ports=ports if spec.first_port != spec.last_port else spec.first_port,
        rtsp=spec.rtsp_port,
        beside=f"{ip} daddr != {{ {relays} }}" if relays else "",
        whence=f"{ip} saddr != {{ {relays} }}" if relays else "",
        guard=f"jump guard{version}" if spec.guard else "",
    )
