"""What was heard and what is latched in one table of the kernel; flows. The kernel's own words
are the state: nothing is remembered here but one listing for a moment."""

from __future__ import annotations

import time
from typing import Any

from l7lb.media.netfilter import latches
from l7lb.media.netfilter.latches import Heard, Path
from l7lb.media.netfilter.libnftables import Nft, NftError

FRESH_S = 0.5
"""Age to which one listing of what was heard serves all who ask."""


class Latching:
    """Of a table with the sets that `latches` names. Raises NftError throughout."""

    def __init__(self, nft: Nft, table: str) -> None:
        self._nft = nft
        self._table = table
        self._listed: dict[int, tuple[float, list[dict[str, Any]]]] = {}

    def latch(self, path: Path, timeout_s: int) -> tuple[Heard, int]:
        """Looks whence the client is heard, and latches where that is another port than the named
        one. A latch that is there begins its time anew, or gives way to a newer port."""
        heard, port = latches.judge(self._heard(path.version), path)
        if heard is Heard.ELSEWHERE:
            text = latches.latch(self._table, path, port, timeout_s)
            try:
                self._nft.run(text)
            except NftError:
                self._nft.run(self._clearance(path, port) + text)
        return heard, port

    def unlatch(self, path: Path) -> bool:
        """False: there was none."""
        port = latches.latched_port(self._list("map", "latch", path.version), path)
        if port:
            self._nft.run(latches.unlatch(self._table, path, port))
        return port != 0

    def flows(self, version: int) -> list[dict[str, Any]]:
        """Each pair of ports that had media lately, RTCP of the other direction included."""
        return latches.flows(self._list("set", "flows", version))

    def flow(self, path: Path) -> dict[str, int]:
        """Packets and octets of one pair of ports, the client's as it is named or latched."""
        latched = latches.latched_port(self._list("map", "latch", path.version), path)
        ends = {"client": str(path.client), "client_port": latched or path.client_port}
        ends |= {"server": str(path.server), "server_port": path.server_port}
        for flow in self.flows(path.version):
            if ends.items() <= flow.items():
                return {"packets": flow["packets"], "octets": flow["octets"]}
        return {"packets": 0, "octets": 0}

    def _clearance(self, path: Path, seen_port: int) -> str:
        """Takes away what stands at the keys of a new latch."""
        text = ""
        for name, key in (("latch", path.key(path.client_port)), ("unlatch", path.key(seen_port))):
            if latches.has_key(self._list("map", name, path.version), key):
                text += f"delete element {self._table} {name}{path.version} {{ {key} }}\n"
        return text

    def _heard(self, version: int) -> list[dict[str, Any]]:
        at_s, listed = self._listed.get(version, (0.0, []))
        now_s = time.monotonic()
        if not listed or now_s - at_s > FRESH_S:
            listed = self._list("set", "heard", version)
            self._listed[version] = now_s, listed
        return listed

    def _list(self, kind: str, name: str, version: int) -> list[dict[str, Any]]:
        return self._nft.objects(f"list {kind} {self._table} {name}{version}")
