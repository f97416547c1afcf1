"""A whole director as its administrator meets it: `l7lb run FILE` in processes of its own."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

from l7lb.cli.client import Client, Json, NotAnswered
from l7lb.director.paths import CONTROL_VARIABLE

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
Command = Callable[..., tuple[int, str, str]]
"""`l7lb …` in the test's process: exit status, output, errors."""
T = TypeVar("T")


def until(condition: Callable[[], T], what: str = "it", limit_s: float = DEADLINE_S) -> T:
    """The first true value of `condition`; fails after the deadline."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {limit_s} s")


class Origin:
    """A small web server that says its name; /slow waits until `let_go` is set."""

    def __init__(self, name: str) -> None:
        self.let_go = threading.Event()
        self.asked = threading.Event()
        origin = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/slow":
                    origin.asked.set()
                    origin.let_go.wait(DEADLINE_S)
                body = name.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Silence."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                """A director that was killed resets its connections: no news here."""

        self._server = Server(("127.0.0.1", 0), Answer)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Director:
    """`start` it, and `close` it in any case."""

    def __init__(self, folder: Path, *origins: Origin, loop: str = "auto") -> None:
        self.folder = folder
        self.file = folder / "cluster.yaml"
        self.control = folder / "control.sock"
        self.origins = origins
        self.loop = loop
        self.client = Client(self.control, DEADLINE_S)
        self.process: subprocess.Popen[bytes] | None = None
        self.write()

    def write(
        self, listen: str = "127.0.0.1:0", more: str = "", workers: int = 2, drain: str = "10s"
    ) -> None:
        """The rules file: one pool `web` with servers a, b, …, one service `www`."""
        servers = ", ".join(
            f"{{name: {chr(97 + n)}, address: '{origin.address}'}}"
            for n, origin in enumerate(self.origins)
        )
        listens = ", ".join(f"'{address}'" for address in listen.split())
        self.file.write_text(
            f"pools:\n  web: {{servers: [{servers}], scheduler: rr, "
            f"check: {{tcp: true, every: 200ms}}}}\n"
            f"services:\n  www:\n    protocol: http\n    listen: [{listens}]\n"
            f"    access_log: {{path: {self.folder}/access.log}}\n"
            f"    routes: [{{pool: web}}]\n{more}"
            f"director:\n  workers: {workers}\n  control: {self.control}\n"
            f"  state: {self.folder}/state\n  drain_deadline: {drain}\n"
            f"  metrics: 127.0.0.1:0\n  loop: {self.loop}\n"
        )

    def command(self) -> list[str]:
        return [sys.executable, "-m", "l7lb", "run", str(self.file)]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(str(ROOT / part) for part in ("", "protocols", "storage"))
        kept = {key: value for key, value in os.environ.items() if key != CONTROL_VARIABLE}
        return kept | {"PYTHONPATH": path}

    def launch(self) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        with (self.folder / "stderr.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
            )
        return self.process

    def start(self) -> Director:
        """Start, and wait until all workers serve."""
        self.launch()
        self.wait_until_it_serves()
        return self

    def wait_until_it_serves(self) -> None:
        until(lambda: self.events("started"), "the start")
        until(lambda: all(server["health"] == "up" for server in self.servers()), "health")

    def events(self, name: str = "") -> list[Json]:
        """Those so named; none while nobody answers."""
        try:
            found = self.client.get("/v1/events")["events"]
        except NotAnswered:
            return []
        assert isinstance(found, list)
        return [event for event in found if event["event"] == name or not name]

    def status(self) -> Json:
        return self.client.get("/v1/status")

    def rows(self, key: str) -> list[Json]:
        found = self.status()[key]
        assert isinstance(found, list)
        return found

    def servers(self) -> list[Json]:
        found = self.rows("pools")[0]["servers"]
        assert isinstance(found, list)
        return found

    def server(self, name: str) -> Json:
        return next(server for server in self.servers() if server["name"] == name)

    def workers(self) -> list[int]:
        """Process ids of workers that serve."""
        return [
            int(str(worker["pid"])) for worker in self.rows("workers") if worker["stage"] == "ready"
        ]

    def ports(self) -> list[int]:
        """Of the service's listeners, in the order of the file."""
        found = self.rows("services")[0]["listen"]
        assert isinstance(found, list)
        return [int(each["bound"].rpartition(":")[2]) for each in found]

    def connect(self, port: int = 0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", port or self.ports()[0], timeout=DEADLINE_S)

    def ask(self, target: str = "/", port: int = 0) -> str:
        """The body of the answer."""
        connection = self.connect(port)
        try:
            return get(connection, target)
        finally:
            connection.close()

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            for _ in range(2):
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log(self) -> str:
        return (self.folder / "stderr.log").read_text()


def get(connection: http.client.HTTPConnection, target: str = "/") -> str:
    connection.request("GET", target)
    response = connection.getresponse()
    body = response.read().decode()
    assert response.status == 200, body
    return body


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(DEADLINE_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
