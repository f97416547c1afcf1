"""Modes `nat` and `direct`: what an RTP packet costs the director's kernel, and losses.

Packets of 1,200 octets from the server's media ports to a client, by the director and by a link of
their own in turn. The director costs what its way takes more of the sender's CPU: on virtual links
all kernel work is done in the sender's time (see pair.c). `forward` passes the packets on without
any rule, `conntrack` translates them as a plain nftables NAT map does. In mode `direct` no packet
comes by the director, which tests show; there is nothing to measure.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.figures import OURS, Bench, Case, Figures, Target
from benchmarks.lab import pinned
from benchmarks.media import wires
from benchmarks.media.wires import Wires
from l7lb.media.kernel.rules import KernelRules
from l7lb.media.kernel.spec import Want

OCTETS = 1200
PORT = 30000
LAST_PORT = 39999
STREAM_RATE = 200
"""Packets a second of a film of 2 Mb/s."""
TAIL_S = 0.7
"""Of the sink, beyond the sender."""
NEWNET = 0x40000000
FORWARD, CONNTRACK = "forward", "conntrack"
HERE = Path(__file__).parent
VIP = wires.DIRECTOR_FAR
CONNTRACK_RULES = f"""
table ip plain {{
  chain in {{
    type nat hook prerouting priority dstnat;
    ip daddr {VIP} udp dport {PORT}-{LAST_PORT} dnat to {wires.SERVER}
  }}
  chain out {{
    type nat hook postrouting priority srcnat;
    ip saddr {wires.SERVER} udp sport {PORT}-{LAST_PORT} snat to {VIP}
  }}
}}
"""


class Road:
    """Packets from the server to the client at a rate, in so many streams."""

    def __init__(self, bench: Bench, hosts: Wires, rate: int) -> None:
        self.bench, self.hosts, self.rate = bench, hosts, rate
        self.flows = max(1, rate // STREAM_RATE)
        self.sent = self.lost = 0
        self.sink = build(bench.lab.folder, "stream")
        self.pair = build(bench.lab.folder, "pair")

    def through(self) -> float:
        """µs of the director for a packet."""
        seconds = self.bench.seconds
        ear = [self.sink, "sink", "0.0.0.0", str(PORT), str(seconds + TAIL_S), str(self.flows)]
        mouth = [self.pair, wires.SERVER_DIRECT, wires.CLIENT_DIRECT, wires.SERVER, wires.CLIENT]
        mouth += map(str, (PORT, self.rate, seconds, OCTETS, self.flows))
        with subprocess.Popen(self.at("client", ear), stdout=subprocess.PIPE) as client:
            assert client.stdout is not None
            if client.stdout.readline() != b"ready\n":
                raise RuntimeError("the sink does not start")
            done = subprocess.run(self.at("server", mouth), check=True, capture_output=True)
            came = int(client.stdout.read().split()[0])
        beside, beside_us, sent, through_us = map(float, done.stdout.split())
        self.sent += int(beside + sent)
        self.lost += int(beside + sent) - came
        return through_us - beside_us

    def at(self, host: str, words: list[str]) -> list[str]:
        cores = {"client": self.bench.lab.load_core, "server": self.bench.lab.proxy_core}
        return self.hosts.at(host, *pinned(cores[host], words))


def build(folder: Path, name: str) -> str:
    program = folder / name
    if not program.exists():
        subprocess.run(["gcc", "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return str(program)


# --------------------------------------------------------------------------- subjects


@contextmanager
def on_director(hosts: Wires) -> Iterator[None]:
    """This thread is in the director's network meanwhile."""
    pid = hosts.at("director")[2]
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    enter = ctypes.CDLL(None).setns
    try:
        if enter(there, NEWNET) != 0:
            raise RuntimeError("the director's network cannot be entered")
        yield
    finally:
        enter(before, NEWNET)
        os.close(there)
        os.close(before)


def wanted() -> Want:
    server = {
        "name": "s",
        "address": wires.SERVER,
        "port": 554,
        "media_ports": [PORT, LAST_PORT],
        "modes": ["nat"],
    }
    service = {"name": "video", "vips": [VIP], "ports": [554], "servers": [server]}
    return Want.parse({"services": [service]})


def ours(road: Road) -> float:
    with on_director(road.hosts):
        rules = KernelRules()
        try:
            rules.apply(wanted())
            figure = road.through()
            counted = rules.counters()["servers"][0]["to_clients"]["packets"]
            rules.remove()
        finally:
            rules.close()
    if not counted:
        raise RuntimeError("no packet went through the rules")
    return figure


def forward(road: Road) -> float:
    return road.through()


def conntrack(road: Road) -> float:
    at_director = road.hosts.at("director", "nft", "-f", "-")
    subprocess.run(at_director, input=CONNTRACK_RULES.encode(), check=True)
    figure = road.through()
    road.hosts.run("director", "nft", "delete", "table", "ip", "plain")
    return figure


def packets(rate: int) -> Callable[[Bench], Figures]:
    def measure(bench: Bench) -> Figures:
        if not wires.can_be():
            raise RuntimeError("only root can make the hosts")
        kinds = {OURS: ours, FORWARD: forward, CONNTRACK: conntrack}
        with Wires() as hosts:
            roads = {name: Road(bench, hosts, rate) for name in kinds}
            subjects = {name: partial(kind, roads[name]) for name, kind in kinds.items()}
            rounds = bench.interleave(subjects)
        notes = {f"lost %, {name}": 100 * road.lost / road.sent for name, road in roads.items()}
        return Figures(rounds, notes)

    return measure


CASES = tuple(
    Case(
        f"nat-{rate // 1000}k",
        f"an RTP packet through the director's kernel in mode nat, {rate:,} a second",
        "µs/packet",
        packets(rate),
        Target(3.0, against=""),
    )
    for rate in (1_000, 10_000, 60_000)
)
