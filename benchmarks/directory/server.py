"""slapd from the files in `ldap/`, with many users, in a folder of its own. Ended by its id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.lab import free_port, pinned, system
from benchmarks.setups import ROOT

USERS = 10_000
HOSTS = ("m0", "m1", "m2", "m3")
BASE = "ou=people,dc=example,dc=org"


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    pid: int

    def cpu_s(self) -> float:
        return procfs.cpu_s(self.pid)


def users(count: int, hosts: Sequence[str]) -> str:
    return "".join(
        f"dn: mail=user{number}@example.org,{BASE}\nobjectClass: inetOrgPerson\n"
        f"objectClass: inetLocalMailRecipient\ncn: User {number}\nsn: User\n"
        f"mail: user{number}@example.org\nmailHost: {hosts[number % len(hosts)]}\n\n"
        for number in range(count)
    )


@contextmanager
def slapd(core: int | None, count: int = USERS, hosts: Sequence[str] = HOSTS) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        (folder / "site.conf").touch()
        for name in ("slapd/slapd.conf", "schema/l7lb.schema"):
            shutil.copy(ROOT / "ldap" / name, folder)
        content = (ROOT / "ldap/seed.ldif").read_text() + "\n" + users(count, hosts)
        add = [system("slapadd"), "-q", "-f", "slapd.conf"]
        subprocess.run(add, cwd=folder, input=content, text=True, check=True)
        url = f"ldap://127.0.0.1:{free_port()}"
        command = [system("slapd"), "-f", "slapd.conf", "-h", url, "-d", "none"]
        with subprocess.Popen(
            pinned(core, command), cwd=folder, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            if not any("slapd starting" in line for line in process.stderr):
                raise RuntimeError("slapd does not start")
            # It tells of each burst of searches, and would wait for who does not listen.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            try:
                yield Server(url, process.pid)
            finally:
                os.kill(process.pid, signal.SIGTERM)
