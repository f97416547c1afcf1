"""The demo cluster on loopback: free ports, the rules file, origins, and one director.

It starts and stops things and says whether they are up; what is asked of them stands in `scenes`.
"""

import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

from l7lb.demo.processes import Processes
from l7lb.demo.rules import OriginSpec, nginx_text, plan, rules_text

PORTS = 9
PREFERRED = 8080
READY_S = 30.0
POLL_S = 0.05
DIRECTOR = "director"


class DemoFailed(Exception):
    """The cluster did not come up; the text names the log to read."""


def find_nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; the first is 8080 when that is free."""
    held = [socket.socket() for _ in range(count)]
    try:
        for index, sock in enumerate(held):
            bind(sock, PREFERRED if index == 0 else 0)
        return [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()


def bind(sock: socket.socket, port: int) -> None:
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.bind(("127.0.0.1", 0))


def listening(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Cluster:
    """One demo: its plan and its processes."""

    def __init__(self, directory: Path, nginx: str | None) -> None:
        self.nginx = nginx
        self.processes = Processes(directory / "processes.json")
        self.spec = plan(free_ports(PORTS), directory, nginx is not None)

    def start(self) -> None:
        """Everything up and answering, or `DemoFailed` with nothing left behind."""
        directory = self.spec.directory
        shutil.rmtree(directory / "state", ignore_errors=True)  # drains of an earlier demo
        for part in ("state", *(origin.name for origin in self.spec.origins)):
            (directory / part).mkdir(parents=True, exist_ok=True)
        self.spec.rules_file.write_text(rules_text(self.spec))
        try:
            for origin in self.spec.origins:
                self.start_origin(origin)
            command = [sys.executable, "-m", "l7lb", "run", str(self.spec.rules_file)]
            self.processes.start(DIRECTOR, command, directory)
            self.wait_for(DIRECTOR, self.spec.port)
        except BaseException:
            self.processes.stop_all()
            raise

    def start_origin(self, origin: OriginSpec) -> None:
        """Starts it (again) and waits until it listens."""
        home = self.spec.directory / origin.name
        if origin.engine == "nginx" and self.nginx is not None:
            (home / "nginx.conf").write_text(nginx_text(origin))
            command = [self.nginx, "-p", str(home), "-c", "nginx.conf", "-e", "stderr"]
        else:
            command = [sys.executable, "-m", "l7lb.demo.origin", origin.name, str(origin.port)]
        self.processes.start(origin.name, command, home)
        self.wait_for(origin.name, origin.port)

    def kill_origin(self, origin: OriginSpec) -> None:
        """SIGKILL: no goodbye to anybody."""
        self.processes.send(origin.name, signal.SIGKILL)

    def stop(self) -> None:
        self.processes.stop_all()

    def wait_for(self, name: str, port: int) -> None:
        deadline = time.monotonic() + READY_S
        while not listening(port):
            if not self.processes.alive(name) or time.monotonic() > deadline:
                logs = sorted(self.spec.directory.glob(f"**/{name}.log"))
                raise DemoFailed(f"{name} did not come up; see {', '.join(map(str, logs))}")
            time.sleep(POLL_S)
