"""A whole director on a host of the lab: `l7lb run` before the lab's media servers, on the VIP."""

from __future__ import annotations

from pathlib import Path

from support.media_director import KEY, PORTS, RTSP
from support.media_lab import VIP, MediaLab, back, front
from support.running_director import Director, until

RELAY_PORTS = "30000-30399"
SECRET = "a secret of the test, for all directors of it"


class LabDirector(Director):
    """On the host `name`; its folder is its own. Both servers of the lab are in its pool."""

    def __init__(
        self, lab: MediaLab, name: str, folder: Path, version: int, modes: str, **more: str
    ) -> None:
        self._lab = lab
        self._name = name
        self._version = version
        self._modes = modes
        self._names = more.get("servers", "s1 s2").split()
        folder.mkdir(exist_ok=True)
        super().__init__(folder)

    def write(self, listen: str = "", more: str = "", workers: int = 2, drain: str = "10s") -> None:
        version = self._version
        (self.folder / "key").write_bytes(KEY)
        (self.folder / "secret").write_text(SECRET)
        servers = ", ".join(
            f"{{name: {name}, address: '{at_port(back(name, version))}', "
            f"media_ports: {PORTS[name][0]}-{PORTS[name][1]}}}"
            for name in self._names
        )
        self.file.write_text(
            f"pools:\n  media:\n    servers: [{servers}]\n"
            f"    scheduler: rr\n    media: {self._modes}\n"
            f"    check: {{rtsp: true, every: 1s, timeout: 10s}}\n"
            f"services:\n  video:\n    protocol: rtsp\n    listen: '{at_port(VIP[version])}'\n"
            f"    routes: [{{pool: media}}]\n"
            f"    access_log: {{path: {self.folder}/access.log}}\n"
            f"director:\n  workers: {workers}\n  control: {self.control}\n"
            f"  state: {self.folder}/state\n  drain_deadline: {drain}\n"
            f"  cookie_secret: {{file: secret}}\n"
            f"  media: {{relay_ports: {RELAY_PORTS}, key: key, "
            f"probe_at: '{front(self._name, version)}'}}\n"
        )

    def command(self) -> list[str]:
        return self._lab[self._name].command(*super().command())

    def modes(self) -> dict[str, str]:
        """By server, in words; empty while nothing is known."""
        found = self.status().get("media")
        return dict(found["modes"]) if isinstance(found, dict) else {}

    def wait_mode(self, mode: str) -> None:
        """Until every server's media goes so."""
        until(
            lambda: (
                len(found := self.modes()) == len(self._names)
                and all(words.startswith(f"{mode}:") for words in found.values())
            ),
            f"mode {mode}, of {self.modes()}",
        )


def at_port(address: str) -> str:
    return f"[{address}]:{RTSP}" if ":" in address else f"{address}:{RTSP}"
