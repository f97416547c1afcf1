"""A whole director for RTSP, in processes of its own, before whatever servers a test has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from support.running_director import Director

RELAY_PORTS = "42000-42399"


class RtspDirector(Director):
    """Service `video`, pool `media`, servers s1, s2, …; `pool` and `service` are further lines."""

    def __init__(
        self, folder: Path, servers: Sequence[str], *, pool: str = "", service: str = ""
    ) -> None:
        self._servers = servers
        self._pool = pool
        self._service = service
        super().__init__(folder)

    def write(
        self, listen: str = "127.0.0.1:0", more: str = "", workers: int = 2, drain: str = "10s"
    ) -> None:
        servers = ", ".join(
            f"{{name: s{n}, address: '{address}'}}" for n, address in enumerate(self._servers, 1)
        )
        self.file.write_text(
            f"pools:\n  media:\n    servers: [{servers}]\n"
            f"    check: {{rtsp: true, every: 200ms, timeout: 5s}}\n{self._pool}"
            f"services:\n  video:\n    protocol: rtsp\n    listen: '{listen}'\n"
            f"    routes: [{{pool: media}}]\n{self._service}"
            f"    access_log: {{path: {self.folder}/access.log}}\n{more}"
            f"director:\n  workers: {workers}\n  control: {self.control}\n"
            f"  state: {self.folder}/state\n  drain_deadline: {drain}\n"
            f"  media: {{relay_ports: {RELAY_PORTS}}}\n  loop: {self.loop}\n"
        )

    def url(self, path: str = "/film", host: str = "127.0.0.1") -> str:
        return f"rtsp://{host}:{self.ports()[0]}{path}"
