"""What may stand below `media:` in a rules file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from l7lb.config import shorthand, texts_hot_files
from l7lb.config.fields import (
    TEXT,
    Count,
    Duration,
    OneOrMany,
    Parsed,
    Period,
    Section,
    Short,
    Size,
)
from l7lb.config.schema_secret import Secret
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, HotFilesSpec, Socket

_ANNOUNCE = AnnounceSpec((), SecretSpec(b""))
_HOT = HotFilesSpec("", "", "", 0, _ANNOUNCE)

Folder = Annotated[str, Parsed(texts_hot_files.folder, {**TEXT, "x-unit": "path"})]


def _socket(port: int) -> Parsed:
    return Parsed(texts_hot_files.socket(port), {**TEXT, "x-unit": "address"})


Target = Annotated[Socket, _socket(_ANNOUNCE.listen.port)]
ListsAddress = Annotated[Socket, _socket(_ANNOUNCE.lists.port)]


class BusySection(Section):
    """From when on a media server takes only what no other can."""

    sessions: Count = _HOT.busy_sessions
    """Files read at once; 0: no limit."""
    rate: Size = int(_HOT.busy_rate_bytes_s)
    """Bytes read in a second; 0: no limit."""


class Announce(Section):
    """How agents say what they hold. Short form: where it goes."""

    to: OneOrMany[Target] = Field(default=[], json_schema_extra={"x-required": True})
    """A multicast group, or the address of each director; port 7676 when none is given."""
    secret: Annotated[Secret | None, Short(shorthand.secret, None)] = Field(
        default=None, json_schema_extra={"x-required": True}
    )
    """Signs it; at least 16 bytes, the same on all nodes."""
    every: Period = _ANNOUNCE.every_s
    """A datagram so often."""
    listen: Target = _ANNOUNCE.listen
    """Where directors hear it."""
    lists: ListsAddress = _ANNOUNCE.lists
    """Where agents give their whole list, over TCP."""
    interface: Annotated[str, Parsed(texts_hot_files.interface, TEXT)] | None = None
    """Of the multicast group; without it, where the route leads."""


class HotFilesSection(Section):
    """Copies of hot files on each media server's own disk (`l7lb media-agent`)."""

    shared: Folder
    """The directory that all media servers share."""
    local: Folder
    """Directory on the server's own disk; `{node}` is the server's name."""
    presented: Folder
    """Directory that the media server reads: the best copy of each file."""
    capacity: Size
    """How much may be copied."""
    announce: Annotated[Announce, Short(shorthand.keyed("to", str, list), None)]
    """How agents say what they hold."""
    url: Annotated[str, Parsed(texts_hot_files.url, TEXT)] = _HOT.url
    """What stands before a file's name in the path that clients ask for."""
    reserve: Size = _HOT.reserve_bytes
    """Left free on the local disk, whatever `capacity` says."""
    half_life: Period = _HOT.half_life_s
    """After so long a viewing counts half."""
    copy_rate: Size = int(_HOT.copy_rate_bytes_s)
    """Bytes copied in a second; 0: as fast as it goes."""
    settle: Duration = _HOT.settle_s
    """A file that was changed later than so long ago is not copied yet."""
    rescan: Period = _HOT.rescan_s
    """How often the shared directory is looked through for what other machines changed."""
    busy: BusySection = BusySection()
    """When a server counts as busy."""


class MediaSection(Section):
    """Media, beside its services."""

    hot_files: HotFilesSection | None = None
    """Copies of hot files on each media server's own disk."""
