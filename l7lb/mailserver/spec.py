"""What one server process is told, from arguments or a JSON file with the same names."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROTOCOLS = ("imap", "pop3", "lmtp", "smtp")
SIZES = ("sessions", "message_bytes")
SECONDS = ("ttl", "idle", "grace", "fence")


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """`ports`: by protocol; 0 is any that is free; what is not named is not served."""

    name: str
    root: Path
    accounts: Path
    store: str
    ports: dict[str, int]
    host: str = "127.0.0.1"
    master: tuple[bytes, bytes] | None = field(default=None, repr=False)
    ttl_s: float = 15.0
    idle_s: float = 900.0
    grace_s: float = 5.0
    fence_s: float = 10.0
    message_bytes: int = 32 << 20
    """Of one message."""
    sessions: int = 1000
    """Connections at a time, for each protocol."""


def read_spec(words: Sequence[str]) -> ServerSpec:
    """From the command line. Raises ValueError, OSError; SystemExit for unknown options."""
    options = _parser().parse_args(words)
    given = {name: value for name, value in vars(options).items() if value is not None}
    file = given.pop("config", None)
    if file is not None:
        given = _from_file(Path(file)) | given
    missing = {"name", "root", "accounts", "store"} - given.keys()
    if missing:
        raise ValueError(f"not given: {', '.join(sorted(missing))}")
    return _spec(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m l7lb.mailserver")
    parser.add_argument("config", nargs="?", help="JSON file with the options' names as keys")
    parser.add_argument("--name", help="of this server, as the others see it")
    parser.add_argument("--root", help="directory of all accounts, shared by all servers")
    parser.add_argument("--accounts", help="directory file (YAML or LDIF)")
    parser.add_argument("--store", help="unix:/PATH of lockd, lockd:HOST:PORT, or etcd's URLs")
    parser.add_argument("--host", help="address to listen on; 127.0.0.1 if not given")
    parser.add_argument("--master", help="NAME:PASSWORD of who may log in as anybody")
    parser.add_argument("--ttl", type=float, help="of the lease, in seconds")
    parser.add_argument("--idle", type=float, help="seconds until an unused account is given back")
    parser.add_argument("--grace", type=float, help="seconds that sessions have to end")
    parser.add_argument("--fence", type=float, help="seconds to wait for another writer")
    parser.add_argument("--sessions", type=int, help="connections at a time, for each protocol")
    parser.add_argument("--message-bytes", type=int, help="of one message at most")
    for protocol in PROTOCOLS:
        parser.add_argument(f"--{protocol}", type=int, help="port; 0: any")
    return parser


def _from_file(file: Path) -> dict[str, object]:
    found = json.loads(file.read_text())
    known = {action.dest for action in _parser()._actions} - {"help", "config"}
    if not isinstance(found, dict) or found.keys() - known:
        raise ValueError(f"{file}: wants a mapping with keys out of {', '.join(sorted(known))}")
    return found


def _spec(given: dict[str, object]) -> ServerSpec:
    ports = {name: int(str(given[name])) for name in PROTOCOLS if name in given}
    if not ports or not all(0 <= port < 65536 for port in ports.values()):
        raise ValueError("no port given, or one out of range")
    user, colon, secret = str(given.get("master", "")).partition(":")
    if "master" in given and not (user and colon and secret):
        raise ValueError("the master user is NAME:PASSWORD")
    numbers: dict[str, Any] = {n: int(str(given[n])) for n in SIZES if n in given}
    numbers |= {f"{n}_s": float(str(given[n])) for n in SECONDS if n in given}
    return ServerSpec(
        name=str(given["name"]),
        root=Path(str(given["root"])).absolute(),
        accounts=Path(str(given["accounts"])).absolute(),
        store=str(given["store"]),
        ports=ports,
        host=str(given.get("host", "127.0.0.1")),
        master=(user.encode(), secret.encode()) if user else None,
        **numbers,
    )
