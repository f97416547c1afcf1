"""Three hosts on one machine: a server, a director and a client, each a network namespace.

Server and director, and director and client, are joined by a link; server and client have one of
their own besides, to measure what the way costs without a director. Only root can make them. A
namespace lives as long as its process, so nothing is left behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

SERVER, DIRECTOR_NEAR, DIRECTOR_FAR, CLIENT = "10.91.1.2", "10.91.1.1", "10.91.2.1", "10.91.2.2"
"""The director's address towards the server, and towards the client."""
SERVER_DIRECT, CLIENT_DIRECT = "10.91.3.1", "10.91.3.2"
HOSTS = ("server", "director", "client")
LINKS = (
    ("server", SERVER, "director", DIRECTOR_NEAR),
    ("director", DIRECTOR_FAR, "client", CLIENT),
    ("server", SERVER_DIRECT, "client", CLIENT_DIRECT),
)


def can_be() -> bool:
    return os.geteuid() == 0 and all(map(shutil.which, ("unshare", "nsenter", "ip")))


class Wires:
    """Context manager. `at` makes a command run on a host."""

    def __enter__(self) -> Self:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name in HOSTS:
                self._processes[name] = namespace()
            for number, link in enumerate(LINKS):
                self._join(number, *link)
            for name in HOSTS:
                self.run(name, "ip", "link", "set", "lo", "up")
            self.run("director", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self.run("server", "ip", "route", "add", CLIENT, "via", DIRECTOR_NEAR)
            self.run("client", "ip", "route", "add", SERVER, "via", DIRECTOR_FAR)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def at(self, name: str, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self._processes[name].pid), "-n", *command]

    def run(self, name: str, *command: str) -> None:
        subprocess.run(self.at(name, *command), check=True, capture_output=True)

    def _join(self, number: int, one: str, address: str, other: str, far: str) -> None:
        names = f"w{number}a", f"w{number}b"
        pids = [str(self._processes[name].pid) for name in (one, other)]
        link = ("ip", "link", "add", names[0], "netns", pids[0], "type", "veth")
        peer = ("peer", "name", names[1], "netns", pids[1])
        subprocess.run([*link, *peer], check=True, capture_output=True)
        for host, name, place in ((one, names[0], address), (other, names[1], far)):
            self.run(host, "ip", "address", "add", f"{place}/24", "dev", name)
            self.run(host, "ip", "link", "set", name, "up")


def namespace() -> subprocess.Popen[bytes]:
    """A process in a namespace of its own; it is there when it has said so."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process
