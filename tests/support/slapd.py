"""Debian's slapd from the files in `ldap/`, on loopback, in a folder of its own, ended by pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path
from urllib.parse import quote

from l7lb_protocols.ldap.urls import LdapUrl

ROOT = Path(__file__).parents[2]
LDAP = ROOT / "ldap"
SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
CROWD = 1203
"""More than the server's size limit, and no multiple of a page."""


def program(name: str) -> str:
    found = shutil.which(name, path=SEARCH_PATH)
    assert found, f"{name} is missing: apt-get install slapd"
    return found


def free_ports(count: int) -> list[int]:
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def crowd() -> str:
    """Accounts of a branch of their own."""
    entries = ["dn: ou=crowd,dc=example,dc=org\nobjectClass: organizationalUnit\nou: crowd\n"]
    entries += [
        f"dn: mail=user{n}@crowd.test,ou=crowd,dc=example,dc=org\nobjectClass: inetOrgPerson\n"
        f"objectClass: inetLocalMailRecipient\ncn: User {n}\nsn: User\nmail: user{n}@crowd.test\n"
        for n in range(CROWD)
    ]
    return "\n".join(entries)


class Slapd:
    """One server. `start` again after `kill` gives the same data on the same ports."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None, site: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir()
        self.folder = folder
        shutil.copy(LDAP / "slapd/slapd.conf", folder)
        shutil.copy(LDAP / "schema/l7lb.schema", folder)
        if tls:
            site += f"TLSCertificateFile {tls[0]}\nTLSCertificateKeyFile {tls[1]}\n"
        (folder / "site.conf").write_text(site)
        self._has_tls = tls is not None
        self.port, self.tls_port = free_ports(2)
        self.load((LDAP / "seed.ldif").read_text())
        self._process: subprocess.Popen[str] | None = None

    def load(self, ldif: str) -> None:
        """Before it runs."""
        command = [program("slapadd"), "-q", "-f", "slapd.conf"]
        subprocess.run(command, cwd=self.folder, input=ldif, text=True, check=True)

    @property
    def url(self) -> LdapUrl:
        return LdapUrl("ldap", "127.0.0.1", self.port)

    @property
    def tls_url(self) -> LdapUrl:
        return LdapUrl("ldaps", "127.0.0.1", self.tls_port)

    @property
    def local_url(self) -> LdapUrl:
        return LdapUrl("ldapi", str(self.folder / "ldapi"), 0)

    def start(self) -> Slapd:
        urls = [f"ldap://127.0.0.1:{self.port}", f"ldapi://{quote(self.local_url.host, safe='')}"]
        urls += [f"ldaps://127.0.0.1:{self.tls_port}"] if self._has_tls else []
        command = [program("slapd"), "-f", "slapd.conf", "-h", " ".join(urls), "-d", "none"]
        self._process = subprocess.Popen(
            command, cwd=self.folder, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            if "slapd starting" in line:
                break
        else:
            raise AssertionError("".join(lines))
        self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._reader.start()
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """At once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._ended()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._ended()

    def _ended(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        self._process.wait()
        self._reader.join()
        self._process.stderr.close()
        self._process = None
