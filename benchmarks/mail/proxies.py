"""Processes of a measurement of mail: back end, directory, and the proxies. Knows no case."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.directory.server import slapd
from benchmarks.idle import trusting
from benchmarks.lab import Lab, environment, free_port, pinned, system
from benchmarks.mail.idle import opened
from benchmarks.setups import filled, owner

HERE = Path(__file__).parent
HOSTS = ("127.0.0.1", "127.0.0.2")
"""Of the one back end; the directory says which an account has."""
USERS = 40_000
START_S = 60.0
STOP_S = 10.0
CONFIGS = {
    "l7lb": ("cluster.yaml",),
    "dovecot": ("dovecot.conf", "ldap.conf"),
    "nginx": ("nginx.conf",),
    "auth": ("auth.conf",),
    "perdition": (),
}
"""Kind → its files, the main one first."""


@dataclass(frozen=True, slots=True)
class Town:
    """What all proxies of a case work with."""

    lab: Lab
    folder: Path
    backend: int
    auth: int
    ldap: str


class MailProxy:
    """A running proxy with its children; `stop` it in any case."""

    def __init__(self, kind: str, town: Town, core: int, *, tls: bool = False) -> None:
        self.kind = kind
        self.tls = tls
        self.port = town.auth if kind == "auth" else free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=town.folder))
        self.folder.chmod(0o755)
        self.log = self.folder / "output.log"
        command = program(kind, self._configured(town), self.port, town.backend)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                pinned(core, command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                cwd=self.folder,
            )

    def _configured(self, town: Town) -> list[Path]:
        is_root = os.geteuid() == 0
        me = pwd.getpwuid(os.geteuid())
        values = {
            "FOLDER": str(self.folder),
            "PORT": str(self.port),
            "BACKEND": str(town.backend),
            "AUTH": str(town.auth),
            "LDAP": town.ldap,
            "CERTIFICATE": str(town.lab.certificate),
            "USER": owner(),
            "INTERNAL": "dovecot" if is_root else me.pw_name,
            "LOGIN": "dovenull" if is_root else me.pw_name,
            "GROUP": "dovecot" if is_root else grp.getgrgid(me.pw_gid).gr_name,
        }
        (self.folder / "secret").write_text("director-secret")
        made = []
        for name in CONFIGS[self.kind]:
            made.append(self.folder / name)
            made[-1].write_text(filled((HERE / name).read_text(), {"tls": self.tls}, values))
        return made

    def processes(self) -> list[int]:
        """All of them: what looks accounts up and keeps count is part of the work."""
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [child for pid in new for child in _children(pid)]
        return found

    def cpu_s(self) -> float:
        return sum(map(procfs.cpu_s, self.processes()))

    def pss_bytes(self) -> int:
        return sum(map(_pss_bytes, self.processes()))

    def wait_ready(self) -> None:
        """Until it lets somebody in. RuntimeError: it never does."""
        deadline = time.monotonic() + START_S
        while not self._lets_in():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.kind} lets nobody in: {self.log.read_text()[-500:]}")
            time.sleep(0.05)

    def _lets_in(self) -> bool:
        try:
            opened(self.port, 0, trusting() if self.tls else None).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        children = _children(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in children:  # perdition leaves its sessions alone
            with suppress(ProcessLookupError):
                os.kill(pid, 15)


def _pss_bytes(pid: int) -> int:
    """Nothing for a process that has just ended."""
    try:
        return procfs.pss_bytes(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _children(pid: int) -> list[int]:
    """None for a process that has just ended."""
    try:
        return procfs.children(pid)
    except (FileNotFoundError, ProcessLookupError):
        return []


def program(kind: str, configs: list[Path], port: int, backend: int) -> list[str]:
    if kind == "l7lb":
        return [sys.executable, "-m", "l7lb", "run", str(configs[0])]
    if kind == "dovecot":
        return [system("dovecot"), "-F", "-c", str(configs[0])]
    if kind in {"nginx", "auth"}:
        log = configs[0].parent / "error.log"
        return [system("nginx"), "-e", str(log), "-c", str(configs[0])]
    server = ["--outgoing_server", f"127.0.0.1:{backend}", "--outgoing_port", str(backend)]
    listen = ["--bind_address", "127.0.0.1", "--listen_port", str(port), "--no_bind_banner"]
    quiet = ["--no_daemon", "--log_facility", "+", "--pid_file", "", "--map_library", ""]
    user, group = owner().split()
    me = ["--username", user, "--group", group]
    return [system("perdition.imap4"), "-f", "/dev/null", *listen, *server, *quiet, *me]


def built(name: str, folder: Path) -> Path:
    """One of the C programs beside this file."""
    program = folder / name
    if not program.exists():
        command = ["gcc", "-O2", "-o", str(program), str(HERE / f"{name}.c")]
        subprocess.run(command, check=True, capture_output=True)
    return program


@contextmanager
def town(lab: Lab, names: Sequence[str], *, tls: bool = False) -> Iterator[dict[str, MailProxy]]:
    """The named proxies, ready, before one back end; all of it ended in the end."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mail-")))
        scratch.chmod(0o755)
        directory = stack.enter_context(slapd(lab.load_core, USERS, HOSTS))
        here = Town(lab, scratch, free_port(), free_port(), directory.url)
        command = [str(built("backend", scratch)), str(here.backend)]
        backend = stack.enter_context(subprocess.Popen(pinned(lab.load_core, command)))
        stack.callback(backend.terminate)

        def started(kind: str, core: int) -> MailProxy:
            proxy = MailProxy(kind, here, core, tls=tls)
            stack.callback(proxy.stop)
            return proxy

        started("auth", lab.load_core)
        proxies = {name: started(name, lab.proxy_core) for name in names}
        for proxy in proxies.values():
            proxy.wait_ready()
        yield proxies
