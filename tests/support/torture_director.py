"""A director of the torture test, over all its lives: as a whole killed, stopped, and cut off."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from l7lb.cli.client import NotAnswered
from l7lb.mail.spool.files import SUFFIX
from support.cut_wire import Wire
from support.etcd_members import free_ports
from support.mail_cluster import MASTER, MASTER_PASSWORD, Endpoint
from support.running_director import Director, is_alive, until

SERVICES = ("imap", "pop3", "smtp")
RESTARTS = 10
POLL_S = 0.05
T = TypeVar("T")
WAIT_S = 120.0
"""For whatever a director must do; the machine may have more to do than this."""


class MailDirector(Director):
    """Services `imap`, `pop3` and `smtp` to all mail servers. Whoever does something to it has
    `alone`: two troubles at once would undo each other's."""

    def __init__(
        self, folder: Path, host: str, servers: Mapping[str, Endpoint], wires: list[Wire]
    ) -> None:
        self.host = host
        self.mail_servers = servers
        self.wires = wires
        self.bound = dict(zip(SERVICES, free_ports(len(SERVICES), host), strict=True))
        self.alone = threading.Lock()
        folder.mkdir()
        super().__init__(folder)

    def write(self, listen: str = "", more: str = "", workers: int = 2, drain: str = "2s") -> None:
        (self.folder / "master").write_text(MASTER_PASSWORD)
        servers = ", ".join(
            f"{{name: {name}, address: {each.host}, ports: {yaml_ports(each.ports)}}}"
            for name, each in self.mail_servers.items()
        )
        services = "".join(
            f"  {protocol}:\n    protocol: {protocol}\n    listen: '{self.host}:{port}'\n"
            f"    login: {{secrets_in_clear: true, max_sessions: 0, spread: 1s}}\n"
            f"    routes: [{{pool: mail}}]\n"
            f"    access_log: {{path: {self.folder}/{protocol}.log}}\n"
            + ("    smtp: {retry: 1s, retry_max: 2s}\n" if protocol == "smtp" else "")
            for protocol, port in self.bound.items()
        )
        urls = ", ".join(f"http://127.0.0.1:{wire.port}" for wire in self.wires)
        self.file.write_text(
            f"pools:\n  mail:\n    servers: [{servers}]\n"
            f"    check: {{tcp: true, every: 200ms}}\n    persistence: account\n"
            f"    login: {{master: {MASTER}, secret: {{file: master}}}}\n"
            f"services:\n{services}{more}"
            f"directory: {{static: {self.folder.parent}/accounts.yaml}}\n"
            f"store: {{etcd: {{urls: [{urls}]}}}}\n"
            f"director:\n  workers: {workers}\n  control: {self.control}\n"
            f"  state: {self.folder}/state\n  drain_deadline: {drain}\n"
        )

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.bound)

    def until(self, condition: Callable[[], T], what: str) -> T:
        """One that does not answer now is asked again."""

        def found() -> T | None:
            try:
                return condition()
            except NotAnswered:
                return None

        value = until(found, f"{self.folder.name}: {what}", WAIT_S)
        assert value is not None
        return value

    def wait_until_it_serves(self) -> None:
        self.until(lambda: self.events("started"), "the start")
        self.until(lambda: all(each["health"] == "up" for each in self.servers()), "health")

    def has_spooled(self) -> bool:
        """Messages that are still to be delivered."""
        return bool(self.spooled())

    def spooled(self) -> set[str]:
        spool = self.folder / "state" / "spool"
        return {path.name for path in spool.rglob("*" + SUFFIX)}

    def is_calm(self) -> bool:
        """Nobody is served, and nothing is left to deliver."""
        try:
            rows = self.rows("workers")
        except NotAnswered:
            return False
        served = [row.get("connections") for row in rows]
        return set(served) == {0} and not self.has_spooled()

    # ------------------------------------------------------------- troubles

    def processes(self) -> list[int]:
        """Workers, and the supervisor at the end."""
        assert self.process is not None
        pid = self.process.pid
        lists = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/children")]
        return [*(int(child) for text in lists for child in text.split()), pid]

    def stop(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)  # it starts no more workers
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """All of it at once, as a power failure would."""
        self.stop()
        *workers, _ = self.processes()
        self._kill_supervisor()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._wait_for(workers)

    def orphan(self) -> list[int]:
        """The supervisor is killed alone: its workers have nobody, and end when they have
        drained. Returns them."""
        self.stop()
        *workers, _ = self.processes()
        self._kill_supervisor()
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        return workers

    def _kill_supervisor(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _wait_for(self, workers: list[int]) -> None:
        self.until(lambda: not any(map(is_alive, workers)), "the workers' end")

    def revive(self, orphans: list[int] | None = None) -> None:
        """Until it serves. As long as its orphans have the addresses it cannot."""
        for _ in range(RESTARTS):
            self.launch()
            if self._has_begun():
                break
        else:
            raise AssertionError(f"{self.folder.name} does not start again")
        self._wait_for(orphans or [])

    def _has_begun(self) -> bool:
        assert self.process is not None
        end_s = time.monotonic() + WAIT_S
        while self.process.poll() is None:
            with suppress(NotAnswered):
                if self.events("started") and self.workers():
                    return True
            assert time.monotonic() < end_s, "the director neither serves nor ends"
            time.sleep(POLL_S)
        return False

    def cut(self) -> None:
        for wire in self.wires:
            wire.cut()

    def mend(self) -> None:
        for wire in self.wires:
            wire.mend()

    def close(self) -> None:
        self.mend()
        super().close()


def yaml_ports(ports: dict[str, int]) -> str:
    return "{" + ", ".join(f"{name}: {port}" for name, port in ports.items()) + "}"
