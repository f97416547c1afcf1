"""Frozen specification of hot files: what `media.hot_files` in the rules file says.

As in `model`: everything compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from l7lb.model_directory import SecretSpec

ANNOUNCE_PORT = 7676
LISTS_PORT = 7677
NODE = "{node}"
"""Stands in a path for the name of the server."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A literal IP address, a name, or `*`; with its port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_multicast(self) -> bool:
        try:
            return ip_address(self.host).is_multicast
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class AnnounceSpec:
    to: tuple[Socket, ...]
    """Multicast groups, or each director's own address."""
    secret: SecretSpec
    every_s: float = 0.5
    listen: Socket = Socket("*", ANNOUNCE_PORT)
    """Where directors hear it."""
    lists: Socket = Socket("*", LISTS_PORT)
    """Where agents give their whole list; port 0: any, which they announce."""
    interface: str = ""
    """Of multicast; empty: where the route leads."""


@dataclass(frozen=True, slots=True)
class HotFilesSpec:
    shared: str
    """The directory that all media servers share."""
    local: str
    """On a server's own disk."""
    presented: str
    """What the media server reads."""
    capacity_bytes: int
    announce: AnnounceSpec
    url: str = "/"
    """What the path of a file has before it when clients ask for it."""
    reserve_bytes: int = 1 << 30
    """Of the local disk, left free."""
    half_life_s: float = 1800.0
    copy_rate_bytes_s: float = 50e6
    """0: as fast as it goes."""
    settle_s: float = 10.0
    """A file that was changed later than so long ago is not copied yet."""
    rescan_s: float = 30.0
    """How often the shared directory is walked, for what others changed there."""
    busy_sessions: int = 0
    """Sessions at which a server counts as busy; 0: no limit."""
    busy_rate_bytes_s: float = 0.0
    """Bytes in a second at which it does; 0: no limit."""

    def path(self, text: str, node: str) -> str:
        return text.replace(NODE, node)
