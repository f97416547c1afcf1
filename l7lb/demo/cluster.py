"""The demo cluster on loopback: free ports, the rules file, origins, and one director.

It starts and stops things and says whether they are up; what is asked of them stands in `scenes`.
"""

import importlib.util
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from l7lb.demo import film_rules, mail_rules
from l7lb.demo.film_rules import FilmServer
from l7lb.demo.mail_rules import MailServer, MailSpec
from l7lb.demo.processes import Processes
from l7lb.demo.rules import PORTS, OriginSpec, nginx_text, plan, rules_text

PREFERRED = (8080, 1143, 1110, 1025, 8554)
"""For HTTP, IMAP, POP3, SMTP and RTSP."""
READY_S = 30.0
POLL_S = 0.05
DIRECTOR = "director"
LOCKD = "lockd"


class DemoFailed(Exception):
    """The cluster did not come up; the text names the log to read."""


def find_nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def has_mail_server() -> bool:
    """Whether what the small mail server needs is installed."""
    return importlib.util.find_spec("aiosmtpd") is not None


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; the first are the preferred ones where they are free."""
    held = [socket.socket() for _ in range(count)]
    try:
        for index, sock in enumerate(held):
            bind(sock, PREFERRED[index] if index < len(PREFERRED) else 0)
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


def answers(path: Path) -> bool:
    """Whether somebody listens on this unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(str(path)) == 0


class Cluster:
    """One demo: its plan and its processes."""

    def __init__(self, directory: Path, nginx: str | None, *, mail: bool) -> None:
        self.nginx = nginx
        self.processes = Processes(directory / "processes.json")
        self.spec = plan(free_ports(PORTS), directory, nginx=nginx is not None, mail=mail)

    def start(self) -> None:
        """Everything up and answering, or `DemoFailed` with nothing left behind."""
        directory = self.spec.directory
        for part in ("state", "mail", LOCKD):  # drains and mail of an earlier demo
            shutil.rmtree(directory / part, ignore_errors=True)
        for part in ("state", *(origin.name for origin in self.spec.origins)):
            (directory / part).mkdir(parents=True, exist_ok=True)
        self.spec.rules_file.write_text(rules_text(self.spec))
        try:
            for origin in self.spec.origins:
                self.start_origin(origin)
            for film_server in self.spec.film.servers:
                self.start_film_server(film_server)
            if self.spec.mail is not None:
                self.start_mail(self.spec.mail)
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

    def start_film_server(self, server: FilmServer) -> None:
        """Starts it (again) and waits until it listens."""
        folder = film_rules.write(self.spec.film, server)
        command = [sys.executable, "-m", "l7lb.mediaserver", "--name", server.name]
        command += ["--folder", str(folder), "--port", str(server.port)]
        self.processes.start(server.name, command, folder)
        self.wait_for(server.name, server.port)

    def start_mail(self, spec: MailSpec) -> None:
        """Lock server and mail servers."""
        directory = self.spec.directory
        mail_rules.write(spec)
        command = [sys.executable, "-m", "l7lb_storage.lockd", "--data", str(directory / LOCKD)]
        self.processes.start(LOCKD, [*command, "--unix", str(spec.lockd)], directory)
        self.wait_until(LOCKD, lambda: answers(spec.lockd))
        for server in spec.servers:
            self.start_mail_server(server)

    def start_mail_server(self, server: MailServer) -> None:
        """Starts it (again) and waits until it listens."""
        assert self.spec.mail is not None
        file = self.spec.directory / f"{server.name}.json"
        file.write_text(mail_rules.server_text(self.spec.mail, server))
        command = [sys.executable, "-m", "l7lb.mailserver", str(file)]
        self.processes.start(server.name, command, self.spec.directory)
        for port in (server.imap, server.pop3, server.lmtp):
            self.wait_for(server.name, port)

    def kill(self, name: str) -> None:
        """SIGKILL: no goodbye to anybody."""
        self.processes.send(name, signal.SIGKILL)

    def stop(self) -> None:
        self.processes.stop_all()

    def wait_for(self, name: str, port: int) -> None:
        self.wait_until(name, lambda: listening(port))

    def wait_until(self, name: str, is_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not is_up():
            if not self.processes.alive(name) or time.monotonic() > deadline:
                logs = sorted(self.spec.directory.glob(f"**/{name}.log"))
                raise DemoFailed(f"{name} did not come up; see {', '.join(map(str, logs))}")
            time.sleep(POLL_S)
