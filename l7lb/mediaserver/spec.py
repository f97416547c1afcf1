"""What one server process is told on its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerSpec:
    name: str
    """Said in Server fields, and as CNAME in RTCP."""
    folder: Path
    port: int = 0
    """0: any that is free."""
    host: str = "127.0.0.1"
    timeout_s: int = 60
    """A session ends after so long without request and RTCP of its player."""
    sessions: int = 200
    connections: int = 400


def read_spec(words: Sequence[str]) -> ServerSpec:
    """Raises ValueError; SystemExit for unknown options."""
    parser = argparse.ArgumentParser("python -m l7lb.mediaserver")
    parser.add_argument("--name", required=True, help="of this server, as players are told")
    parser.add_argument("--folder", required=True, help="where the clips are: NAME.ulaw")
    parser.add_argument("--port", type=int, default=0, help="for RTSP; 0: any that is free")
    parser.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    parser.add_argument("--timeout", type=int, default=60, help="of a session, in seconds")
    parser.add_argument("--sessions", type=int, default=200, help="at a time")
    parser.add_argument("--connections", type=int, default=400, help="at a time")
    given = parser.parse_args(words)
    folder = Path(given.folder).absolute()
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder")
    if not 0 <= given.port < 65536:
        raise ValueError("the port is out of range")
    if min(given.timeout, given.sessions, given.connections) < 1:
        raise ValueError("timeout, sessions and connections are 1 or more")
    if not given.name.isascii() or not given.name.isprintable() or len(given.name) > 64:
        raise ValueError("the name is printable ASCII, up to 64 letters")
    return ServerSpec(
        name=given.name,
        folder=folder,
        port=given.port,
        host=given.host,
        timeout_s=given.timeout,
        sessions=given.sessions,
        connections=given.connections,
    )
