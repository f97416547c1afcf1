"""Mode `relay`: CPU for each RTP packet, losses, and memory for each session.

Packets of 1,200 octets in streams of some 200 a second each, as films of 2 Mb/s have them.
`asyncio` is the same written with datagram endpoints, `bare C` with recvmmsg and nothing else.
`kernel forward` is what the bare way through a director's kernel costs, measured at 60,000 packets
a second as the difference to a way without a director, in the time of sender and receiver.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean

from benchmarks import procfs
from benchmarks.figures import OURS, Bench, Case, Figures, Target
from benchmarks.lab import environment, pinned
from benchmarks.media import wires
from benchmarks.media.wires import Wires
from l7lb.media.relay import wire
from l7lb.media.relay.process import listening_socket
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import Counters, Open, Peers, Request

OCTETS = 1200
PORT = 20000
SINK_PORT = 30000
FORWARD_RATE = 60_000
STREAM_RATE = 200
TAIL_S = 0.7
"""Of the sink, beyond the sender."""
SESSIONS = 2000
START_S = 30.0
HERE = Path(__file__).parent
SLABS = ("UDP", "sock_inode_cache", "filp", "eventpoll_epi")
"""What the kernel keeps for each socket, beside a dentry among hundreds of thousands."""


class Talk:
    """The relay's verbs, one after the other."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(START_S)
        self._socket.connect(str(path))

    def ask(self, request: Request) -> dict[str, object]:
        self._socket.send(wire.encode_request(1, request))
        found = wire.decode_answer(self._socket.recv(wire.REPLY_BYTES))
        if not isinstance(found, tuple) or not isinstance(found[1], dict):
            raise RuntimeError(f"the relay says {found}")
        return found[1]

    def close(self) -> None:
        self._socket.close()


def running_s(pid: int) -> float:
    """CPU time of a process to the nanosecond: ticks are too coarse for few packets."""
    tasks = (procfs.PROC / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def started(command: list[str], fd: int = -1) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has said `ready`, until the block ends."""
    pass_fds = (fd,) if fd >= 0 else ()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, pass_fds=pass_fds, env=environment()
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{command} does not start")
        yield process
    finally:
        process.terminate()
        process.wait()


class Road:
    """The stream generator between a server and a client, and what stands between them."""

    def __init__(self, bench: Bench, hosts: Wires, rate: int, flows: int) -> None:
        self.bench, self.hosts, self.rate, self.flows = bench, hosts, rate, flows
        self.sent = self.lost = 0
        self.program = build(bench.lab.folder, "stream")

    def run(self, target: tuple[str, int], sink: str, rate: int = 0) -> tuple[float, int]:
        """CPU time of server and client together, and how many packets came."""
        seconds = self.bench.seconds
        load = self.bench.lab.load_core
        ear = [str(self.program), "sink", sink, str(SINK_PORT), str(seconds + TAIL_S)]
        mouth_host = wires.SERVER_DIRECT if sink == wires.CLIENT_DIRECT else wires.SERVER
        mouth = [str(self.program), "send", mouth_host, str(SINK_PORT), target[0], str(target[1])]
        mouth += [str(rate or self.rate), str(seconds), str(OCTETS), str(self.flows)]
        with started(self.hosts.at("client", *pinned(load, [*ear, str(self.flows)]))) as client:
            words = self.hosts.at("server", *pinned(load, mouth))
            sent, sender_s = figures_of(
                subprocess.run(words, check=True, capture_output=True).stdout
            )
            assert client.stdout is not None
            came, sink_s = figures_of(client.stdout.read())
        self.sent += sent
        self.lost += sent - came
        return sender_s + sink_s, came


def figures_of(line: bytes) -> tuple[int, float]:
    count, cpu_s = line.split()
    return int(count), float(cpu_s)


def build(folder: Path, name: str) -> Path:
    program = folder / name
    if not program.exists():
        subprocess.run(["gcc", "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program


# --------------------------------------------------------------------------- subjects


def ours(road: Road) -> float:
    """µs of the relay process for each packet that came."""
    path = road.bench.lab.folder / "relay.sock"
    with listening_socket(path) as listener:
        fd = listener.fileno()
        command = [sys.executable, "-m", "l7lb.media.relay", str(fd), "--ports", f"{PORT}-29999"]
        with started(road.hosts.at("director", *pinned(core(road), command)), fd) as process:
            talk = Talk(path)
            for number in range(road.flows):
                open_session(talk, number)
            figure = through(road, process.pid)
            talk.close()
    return figure


def core(road: Road) -> int:
    return road.bench.lab.proxy_core


def open_session(talk: Talk, number: int) -> None:
    ask = Open(wires.CLIENT, wires.SERVER, wires.DIRECTOR_FAR, wires.DIRECTOR_NEAR)
    found = wire.opened(talk.ask(ask))
    expected = PORT + 2 * number
    if found.server_ports[0] != expected:
        raise RuntimeError(f"port {found.server_ports[0]} instead of {expected}")
    place = SINK_PORT + 2 * number
    talk.ask(Peers(found.session, 0, (place, 0), (place, 0)))


def plain_asyncio(road: Road) -> float:
    return other(road, sys.executable, str(HERE / "asyncio_relay.py"))


def bare(road: Road) -> float:
    program = build(road.bench.lab.folder, "bare_relay")
    return other(road, str(program), more=(str(int(RelaySpec().rest_s * 1e6)),))


def other(road: Road, *program: str, more: tuple[str, ...] = ()) -> float:
    """The same for a relay that is told its flows on the command line."""
    words = (wires.DIRECTOR_NEAR, wires.DIRECTOR_FAR, PORT, road.flows, wires.CLIENT, SINK_PORT)
    command = [*program, *map(str, words), *more]
    with started(road.hosts.at("director", *pinned(core(road), command))) as process:
        return through(road, process.pid)


def through(road: Road, pid: int) -> float:
    before_s = running_s(pid)
    _, came = road.run((wires.DIRECTOR_NEAR, PORT), wires.CLIENT)
    if not came:
        raise RuntimeError("no packet came")
    return (running_s(pid) - before_s) / came * 1e6


def kernel_forward(road: Road) -> float:
    """Through the director's kernel, less the same without a director."""
    costs = []
    for sink in (wires.CLIENT, wires.CLIENT_DIRECT):
        cpu_s, came = road.run((sink, SINK_PORT), sink, FORWARD_RATE)
        costs.append(cpu_s / max(came, 1) * 1e6)
    return max(costs[0] - costs[1], 0.01)


def packets(rate: int, flows: int) -> Callable[[Bench], Figures]:
    def measure(bench: Bench) -> Figures:
        if not wires.can_be():
            raise RuntimeError("only root can make the hosts")
        with Wires() as hosts:
            kinds: dict[str, Callable[[Road], float]] = {
                OURS: ours,
                "kernel forward": kernel_forward,
                "bare C": bare,
                "asyncio": plain_asyncio,
            }
            roads = {name: Road(bench, hosts, rate, flows) for name in kinds}
            subjects = {name: partial(kind, roads[name]) for name, kind in kinds.items()}
            rounds = bench.interleave(subjects)
        notes = {f"lost %, {name}": 100 * road.lost / road.sent for name, road in roads.items()}
        return Figures(rounds, notes)

    return measure


# --------------------------------------------------------------------------- memory


def memory(bench: Bench) -> Figures:
    """Of the process, and of the kernel for it; a session has one stream, of four sockets."""
    process_kib, kernel_kib = [], []
    for _ in range(bench.at_most(3).rounds):
        found = one_memory(bench.lab.folder / "relay.sock")
        process_kib.append(found[0])
        kernel_kib.append(found[1])
    both = [sum(pair) for pair in zip(process_kib, kernel_kib, strict=True)]
    rounds = {OURS: both, "its sockets": kernel_kib}
    return Figures(rounds, {"of the process itself": fmean(process_kib)})


def one_memory(path: Path) -> tuple[float, float]:
    """KiB a session of the process, and of what the kernel keeps for it."""
    with listening_socket(path) as listener:
        fd = listener.fileno()
        command = [sys.executable, "-m", "l7lb.media.relay", str(fd)]
        with started(command, fd) as process:
            talk = Talk(path)
            open_many(talk, 10)
            time.sleep(0.5)
            before = procfs.pss_bytes(process.pid), slab_bytes()
            open_many(talk, SESSIONS)
            after = procfs.pss_bytes(process.pid), slab_bytes()
            if talk.ask(Counters())["sessions"] != SESSIONS + 10:
                raise RuntimeError("not all sessions are there")
            talk.close()
    mine, kernels = (b - a for a, b in zip(before, after, strict=True))
    return mine / SESSIONS / 1024, kernels / SESSIONS / 1024


def open_many(talk: Talk, count: int) -> None:
    for number in range(count):
        opened = wire.opened(talk.ask(Open("127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3")))
        ports = (SINK_PORT + 2 * (number % 1000), 0)
        talk.ask(Peers(opened.session, 0, ports, ports))


def slab_bytes() -> int:
    """In use in the whole machine; 0 for who may not look."""
    try:
        lines = Path("/proc/slabinfo").read_text().splitlines()
    except PermissionError:
        return 0
    rows = [line.split() for line in lines]
    return sum(int(row[1]) * int(row[3]) for row in rows if row[0] in SLABS)


def case(rate: int, flows: int, limit_us: float) -> Case:
    suffix = "" if flows > 1 else "-one"
    streams = f"{flows} streams" if flows > 1 else "one stream"
    return Case(
        f"relay-{rate // 1000}k{suffix}",
        f"an RTP packet through user space, {rate:,} a second in {streams}",
        "µs/packet",
        packets(rate, flows),
        Target(limit_us, against=""),
    )


CASES = (
    *(case(rate, rate // STREAM_RATE, 10.0) for rate in (1_000, 10_000, 60_000)),
    case(60_000, 1, 10.0),
    Case(
        "relay-memory",
        f"a session of {SESSIONS:,} held by the relay, with what the kernel keeps",
        "KiB/session",
        memory,
        Target(20.0, against=""),
    ),
)
