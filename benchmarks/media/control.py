"""RTSP's control connections: CPU for a session set up, and memory for one that is held.

A session is OPTIONS, DESCRIBE, two SETUPs, PLAY and TEARDOWN over a connection of its own. The
peer is gst-rtsp-server itself, which serves these very sessions: what the director adds to it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import procfs
from benchmarks.figures import OURS, Bench, Case, Figures, Target
from benchmarks.lab import environment, free_port, pinned
from benchmarks.setups import ROOT

GST = ROOT / "tests/support/gst_rtsp_script.py"
GST_PYTHON = "/usr/bin/python3"
AT_ONCE = 8
HELD = 2000
FEW = 200
"""Of the server itself, which needs more for each."""
WARM = 64
SETTLES_S = 1.0
START_S = 60.0
RULES = """\
pools:
  media: {{servers: "127.0.0.1:{server}", check: tcp, media: none}}
services:
  video:
    protocol: rtsp
    listen: "127.0.0.1:{port}"
    access_log: {{path: {folder}/access.log}}
    routes: [{{pool: media}}]
director: {{workers: 1, control: {folder}/control.sock, state: {folder}/state}}
"""


class Player:
    """One connection; each request waits for its answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cseq = 0

    async def begin(self) -> None:
        """As far as SETUP."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        url = f"rtsp://127.0.0.1:{self._port}/film"
        await self._ask("OPTIONS", url)
        await self._ask("DESCRIBE", url, "Accept: application/sdp")
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        head = await self._ask("SETUP", f"{url}/stream=0", transport)
        session = next(line for line in head.split("\r\n") if line.lower().startswith("session:"))
        self._session = session.partition(";")[0]
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=2-3"
        await self._ask("SETUP", f"{url}/stream=1", transport, self._session)

    async def play(self) -> None:
        await self._ask("PLAY", f"rtsp://127.0.0.1:{self._port}/film/", self._session)

    async def end(self) -> None:
        await self._ask("TEARDOWN", f"rtsp://127.0.0.1:{self._port}/film/", self._session)
        self.close()

    def close(self) -> None:
        self._writer.close()

    async def _ask(self, method: str, url: str, *fields: str) -> str:
        """The answer's head; frames and bodies are thrown away."""
        self._cseq += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._cseq}", *fields, "", ""]
        self._writer.write("\r\n".join(lines).encode())
        while True:
            first = await self._reader.readexactly(1)
            if first == b"$":
                rest = await self._reader.readexactly(3)
                await self._reader.readexactly(int.from_bytes(rest[1:], "big"))
                continue
            head = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if " 200 " not in head.partition("\r\n")[0]:
                raise RuntimeError(f"{method}: {head}")
            for line in head.lower().split("\r\n"):
                if line.startswith("content-length:"):
                    await self._reader.readexactly(int(line.partition(":")[2]))
            return head


# --------------------------------------------------------------------------- processes


@contextmanager
def gst(bench: Bench) -> Iterator[tuple[int, int]]:
    """Process and port."""
    options = {
        "address": "127.0.0.1",
        "port": 0,
        "plays": ["/film"],
        "records": [],
        "media_ports": None,
        "user": "",
        "secret": "",
    }
    command = [GST_PYTHON, str(GST), json.dumps(options)]
    process = subprocess.Popen(
        pinned(bench.lab.load_core, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().split()[1])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def director(bench: Bench, server: int) -> Iterator[tuple[int, int]]:
    """Process and port."""
    folder = Path(bench.lab.folder) / f"rtsp-{time.monotonic_ns()}"
    folder.mkdir()
    port = free_port()
    file = folder / "cluster.yaml"
    file.write_text(RULES.format(server=server, port=port, folder=folder))
    command = [sys.executable, "-m", "l7lb", "run", str(file)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            pinned(bench.lab.proxy_core, command), env=environment(), stdout=log, stderr=log
        )
    try:
        _wait(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    """Until a session can be set up."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            asyncio.run(_one(port))
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


async def _one(port: int) -> None:
    player = Player(port)
    await player.begin()
    await player.play()
    await player.end()


# --------------------------------------------------------------------------- cases


def sessions(bench: Bench) -> Figures:
    """One that plays all the time keeps the server's pipeline, which is not what is measured."""
    rounds: dict[str, list[float]] = {OURS: [], "gst-rtsp-server": []}
    rates = []
    with ExitStack() as stack:
        server_pid, server_port = stack.enter_context(gst(bench))
        pid, port = stack.enter_context(director(bench, server_port))
        for _ in range(bench.rounds):
            before = procfs.family_cpu_s(pid), procfs.cpu_s(server_pid)
            count, took_s = asyncio.run(_run(port, bench.seconds))
            rounds[OURS].append((procfs.family_cpu_s(pid) - before[0]) / count * 1e6)
            peer = (procfs.cpu_s(server_pid) - before[1]) / count * 1e6
            rounds["gst-rtsp-server"].append(peer)
            rates.append(count / took_s)
    return Figures(rounds, {"sessions/s:": sum(rates) / len(rates)})


async def _keeper(port: int) -> Player:
    """The server may be letting its pipeline go just now, and then says 503."""
    deadline = time.monotonic() + START_S
    while True:
        player = Player(port)
        try:
            await player.begin()
            await player.play()
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return player


async def _run(port: int, seconds: float) -> tuple[int, float]:
    keeper = await _keeper(port)
    start = time.monotonic()
    done = 0

    async def one_after_another() -> None:
        nonlocal done
        while time.monotonic() - start < seconds:
            await _one(port)
            done += 1

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    took_s = time.monotonic() - start
    keeper.close()
    return done, took_s


def held(bench: Bench) -> Figures:
    """Before the director the server answers from a script, so that two thousand are no trouble."""
    subjects = {
        OURS: lambda: asyncio.run(_held(bench)),
        "gst-rtsp-server": lambda: asyncio.run(_held_by_gst(bench)),
    }
    return Figures(bench.at_most(3).interleave(subjects))


async def _held_by_gst(bench: Bench) -> float:
    with ExitStack() as stack:
        pid, port = stack.enter_context(gst(bench))
        figure = await _grown(pid, port, FEW)
        await asyncio.to_thread(stack.close)
    return figure


async def _grown(pid: int, port: int, count: int) -> float:
    """KiB for each session more."""
    players = await _begin(port, WARM)
    await asyncio.sleep(SETTLES_S)
    before = _pss_bytes(pid)
    while len(players) < WARM + count:
        players += await _begin(port, AT_ONCE)
    await asyncio.sleep(SETTLES_S)
    figure = (_pss_bytes(pid) - before) / count / 1024
    for player in players:
        player.close()
    return figure


def _pss_bytes(pid: int) -> int:
    """With its workers."""
    return sum(map(procfs.pss_bytes, procfs.family(pid)))


async def _held(bench: Bench) -> float:
    server = await asyncio.start_server(_script, "127.0.0.1", 0)
    with ExitStack() as stack:
        entering = director(bench, server.sockets[0].getsockname()[1])
        pid, port = await asyncio.to_thread(stack.enter_context, entering)
        figure = await _grown(pid, port, HELD)
        await asyncio.to_thread(stack.close)
    server.close()
    return figure


async def _begin(port: int, count: int) -> list[Player]:
    players = [Player(port) for _ in range(count)]
    await asyncio.gather(*(player.begin() for player in players))
    return players


async def _script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says 200 to everything, and a session to a SETUP."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            cseq = next(line for line in head.split("\r\n") if line.lower().startswith("cseq:"))
            more = "Session: 12345678;timeout=60\r\n" if "Session:" in head else ""
            if head.startswith("SETUP"):
                more = "Session: 12345678;timeout=60\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n"
            writer.write(f"RTSP/1.0 200 OK\r\n{cseq}\r\n{more}\r\n".encode())
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        writer.close()


CASES = (
    Case(
        "rtsp-session",
        "RTSP session from OPTIONS to TEARDOWN, beside the server that serves it",
        "µs CPU/session",
        sessions,
        Target(2.0, against="gst-rtsp-server"),
    ),
    Case(
        "rtsp-held",
        f"{HELD} sessions that play nothing",
        "KiB/session",
        held,
        Target(20.0, against=""),
    ),
)
