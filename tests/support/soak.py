"""Mixed load while everything changes: reloads, servers killed and restarted, workers killed.

    python tests/support/soak.py --seconds 600

A request has failed when it was safe to send twice (RFC 9110 §9.2.2) and yet got no whole 200,
although its client did what every client does: where the connection broke before the answer was
whole (a killed worker takes its connections along, a killed server its answer), it asked once more
on a new one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
ORIGIN = Path(__file__).with_name("soak_origin.py")
PATHS = ("/small", "/small", "/small", "/small", "/big", "/chunked")
STEP_S = 20.0
"""No single request may take longer."""


class Broken(Exception):
    """The connection ended before the answer was whole: a client of a safe request asks again.
    Its server or its worker was killed; what had begun nobody else can finish."""


@dataclass
class Tally:
    done: int = 0
    asked_again: int = 0
    posts_cut: int = 0
    tunnels: int = 0
    tunnels_cut: int = 0
    failures: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    resident_kib: list[int] = field(default_factory=list)
    logs: str = ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


class Cluster:
    """Three servers and a director with two workers, as processes of their own."""

    def __init__(self, folder: Path, origins: int = 3) -> None:
        self.folder = folder
        self.ports = [free_port() for _ in range(origins)]
        self.port = free_port()
        self.file = folder / "cluster.yaml"
        self.control = folder / "control"
        self.origins: list[subprocess.Popen[bytes] | None] = [None] * origins
        self.generation = 0

    def write(self) -> None:
        """The rules change at every reload, in a way that touches no connection."""
        self.generation += 1
        servers = ", ".join(f"127.0.0.1:{port}" for port in self.ports)
        check = (
            "check: {http: /small, every: 500ms, fast_every: 200ms, timeout: 1s, rise: 1, fall: 2}"
        )
        self.file.write_text(
            f"""
pools:
  web: {{servers: [{servers}], scheduler: wlc, {check}}}
services:
  www:
    protocol: http
    listen: "127.0.0.1:{self.port}"
    access_log: {{format: json, path: {self.folder}/access.log}}
    routes:
      - {{path: /generation/{self.generation}, reply: {{status: 204}}}}
      - {{pool: web}}
director: {{workers: 2, control: {self.control}, state: {self.folder}/state}}
"""
        )

    def start(self) -> None:
        self.write()
        for number in range(len(self.ports)):
            self.start_origin(number)
        command = [sys.executable, "-m", "l7lb", "run", str(self.file)]
        with (self.folder / "log").open("wb") as log:
            self.director = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def start_origin(self, number: int) -> None:
        command = [sys.executable, str(ORIGIN), str(self.ports[number])]
        self.origins[number] = subprocess.Popen(command)

    def kill_origin(self, number: int) -> None:
        process = self.origins[number]
        if process is not None:
            process.kill()
            process.wait()
            self.origins[number] = None

    def workers(self) -> list[int]:
        """The director's children that serve."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.director.pid)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in found.stdout.split()]

    def resident_kib(self) -> int:
        """Memory of the supervisor, which outlives every reload."""
        return resident_kib(self.director.pid)

    def stop(self) -> None:
        self.director.terminate()
        try:
            self.director.wait(60)
        finally:
            self.director.kill()
            self.director.wait()
            for number in range(len(self.ports)):
                self.kill_origin(number)


def resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


class Client:
    """One keep-alive client that asks until told to stop."""

    def __init__(self, port: int, tally: Tally) -> None:
        self.port = port
        self.tally = tally
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            path = random.choice(PATHS)
            await self.safe(path)
            if random.random() < 0.05:
                await self.post()
        self.hang_up()

    async def safe(self, path: str) -> None:
        for attempt in (1, 2):
            try:
                status = await asyncio.wait_for(self.ask(f"GET {path}", b""), STEP_S)
            except Broken:
                self.tally.asked_again += 1
                self.hang_up()
                if attempt == 2:
                    self.fail(f"GET {path}: connection broken twice")
                continue
            except (OSError, EOFError, TimeoutError) as error:
                self.hang_up()
                self.fail(f"GET {path}: {type(error).__name__} {error}")
                return
            self.tally.statuses[status] += 1
            if status != 200:
                self.fail(f"GET {path}: status {status}")
            self.tally.done += 1
            return

    async def post(self) -> None:
        """Not safe to send twice: it may be lost with its server, but the answer must be lawful."""
        try:
            await asyncio.wait_for(self.ask("POST /echo", b"x" * 3000), STEP_S)
        except (Broken, OSError, EOFError, TimeoutError):
            self.tally.posts_cut += 1
            self.hang_up()

    async def ask(self, line: str, body: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        head = f"{line} HTTP/1.1\r\nHost: soak\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            await self.body(reader, answer.lower())
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Broken from error
        if b"connection: close" in answer.lower():
            self.hang_up()
        return int(answer.split(b" ")[1])

    async def body(self, reader: asyncio.StreamReader, head: bytes) -> None:
        if b"transfer-encoding: chunked" in head:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
            return
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line[15:]))

    def hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    def fail(self, text: str) -> None:
        self.tally.failures.append(f"{time.strftime('%X')} {text}")


async def tunnel(port: int, tally: Tally, stop: asyncio.Event) -> None:
    """An upgraded connection that must live through every reload."""
    hello = b"GET /tunnel HTTP/1.1\r\nHost: soak\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
    while not stop.is_set():
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(hello)
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), STEP_S)
            tally.tunnels += 1
            while not stop.is_set():
                writer.write(b"ping")
                await asyncio.wait_for(reader.readexactly(4), STEP_S)
                await asyncio.sleep(0.1)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            tally.tunnels_cut += 1  # its server or its worker was killed
            await asyncio.sleep(0.1)
        finally:
            if writer is not None:
                writer.transport.abort()


async def disturb(cluster: Cluster, tally: Tally, seconds: float) -> None:
    """A reload every second, a server every five, a worker every ten."""
    for second in range(1, int(seconds) + 1):
        await asyncio.sleep(1)
        cluster.write()
        cluster.director.send_signal(signal.SIGHUP)
        if second % 5 == 0:
            cluster.kill_origin(second // 5 % len(cluster.ports))
        if second % 5 == 2:
            for number, process in enumerate(cluster.origins):
                if process is None:
                    cluster.start_origin(number)
        if second % 10 == 0:
            workers = cluster.workers()
            if workers:
                os.kill(random.choice(workers), signal.SIGKILL)
        tally.resident_kib.append(cluster.resident_kib())


async def soak(cluster: Cluster, seconds: float, clients: int) -> Tally:
    tally = Tally()
    stop = asyncio.Event()
    jobs = [Client(cluster.port, tally).run(stop) for _ in range(clients)]
    jobs += [tunnel(cluster.port, tally, stop) for _ in range(4)]
    running = [asyncio.ensure_future(job) for job in jobs]
    await disturb(cluster, tally, seconds)
    stop.set()
    await asyncio.wait_for(asyncio.gather(*running), STEP_S * 2)
    await asyncio.sleep(0)  # connections that were aborted close in the loop's next turn
    return tally


async def answers(port: int) -> None:
    """Until the director serves."""
    for _ in range(200):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.write(b"GET /small HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n")
        answer = await reader.read(-1)
        writer.transport.abort()
        if b" 200 " in answer:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the director does not answer")


def run(seconds: float, clients: int = 8) -> Tally:
    """The folder with its logs stays when anything failed; the tally names it."""
    folder = Path(tempfile.mkdtemp(prefix="l7lb-soak-"))
    cluster = Cluster(folder)
    cluster.start()

    async def main() -> Tally:
        await answers(cluster.port)
        return await soak(cluster, seconds, clients)

    try:
        tally = asyncio.run(main())
    finally:
        cluster.stop()
    if tally.failures:
        tally.logs = str(folder)
    else:
        shutil.rmtree(folder)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    tally = run(arguments.seconds, arguments.clients)
    memory = tally.resident_kib
    print(
        json.dumps(
            {
                "requests": tally.done,
                "failed": len(tally.failures),
                "asked_again_by_the_client": tally.asked_again,
                "posts_cut": tally.posts_cut,
                "tunnels_opened": tally.tunnels,
                "tunnels_cut": tally.tunnels_cut,
                "statuses": dict(tally.statuses),
                "supervisor_kib_first_and_last": [memory[len(memory) // 10], memory[-1]],
                "failures": tally.failures[:10],
                "logs": tally.logs,
            },
            indent=2,
        )
    )
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
