"""The listening sockets of a director: one for each address, shared by all workers.

Owns the sockets. Must not know who accepts from them. A reload opens what is new before anything
else changes, and an address that stays keeps its very socket with all that waits in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from l7lb.errors import ControlError
from l7lb.model import Address, ClusterSpec, ListenSpec

Spot = tuple[str, int]
"""A service and the position in its `listen`."""

BUSY_RETRY_S = 0.05
BUSY_PATIENCE_S = 2.0
"""At start: workers of a supervisor that was killed close their sockets within this time."""


@dataclass(frozen=True, slots=True)
class ListenPlan:
    """What the listeners will be. Nothing of the running set has changed yet."""

    sockets: Mapping[Address, socket.socket]
    spots: Mapping[Spot, ListenSpec]
    opened: frozenset[Address]


@dataclass(frozen=True, slots=True)
class ListenChange:
    """What workers must be told, in this order."""

    unlisten: list[Spot]
    listen: list[Spot]


class Listeners:
    """The running set. `plan`, then `commit` or `abort`."""

    def __init__(self) -> None:
        self._sockets: dict[Address, socket.socket] = {}
        self._spots: dict[Spot, ListenSpec] = {}

    async def plan(self, spec: ClusterSpec, patience_s: float = 0.0) -> ListenPlan:
        """Open what is new. Raises ControlError (409), after closing again what it had opened."""
        spots = {
            (service.name, position): listen
            for service in spec.services.values()
            for position, listen in enumerate(service.listen)
        }
        sockets: dict[Address, socket.socket] = {}
        opened: set[Address] = set()
        try:
            for listen in spots.values():
                if listen.address in sockets:
                    raise ControlError(f"{listen.address} is listed twice", 409)
                known = self._sockets.get(listen.address)
                if known is None:
                    known = await _open_patiently(listen, patience_s)
                    opened.add(listen.address)
                sockets[listen.address] = known
        except BaseException:
            _close(sockets, opened)
            raise
        return ListenPlan(sockets, spots, frozenset(opened))

    def abort(self, plan: ListenPlan) -> None:
        """Close what the plan had opened."""
        _close(plan.sockets, plan.opened)

    def commit(self, plan: ListenPlan) -> ListenChange:
        """Make the plan true and close what has left. Call before workers are told."""
        before, after = self._spots, plan.spots
        moved = {
            spot
            for spot in before.keys() & after.keys()
            if before[spot].address != after[spot].address
        }
        left = self._sockets.keys() - plan.sockets.keys()
        _close(self._sockets, left)
        self._sockets = dict(plan.sockets)
        self._spots = dict(after)
        for listen in after.values():
            with contextlib.suppress(OSError):
                self._sockets[listen.address].listen(listen.backlog)
        return ListenChange(
            unlisten=sorted(before.keys() - after.keys() | moved),
            listen=sorted(after.keys() - before.keys() | moved),
        )

    def spots(self) -> list[Spot]:
        return sorted(self._spots)

    def socket(self, spot: Spot) -> socket.socket:
        return self._sockets[self._spots[spot].address]

    def bound(self, spot: Spot) -> str:
        """The address as the kernel tells it: differs from the file's for `*` and port 0."""
        return address_text(self.socket(spot))

    def close(self) -> None:
        _close(self._sockets, self._sockets.keys())
        self._sockets = {}
        self._spots = {}


def open_listener(address: Address, backlog: int, resolved: str | None = None) -> socket.socket:
    """A listening socket. `*` is both families where IPv6 is there, else IPv4. Raises OSError."""
    if address.host.startswith("unix:"):
        return _open_unix(address.host.removeprefix("unix:"), backlog)
    if address.host == "*":
        try:
            return _open_inet("::", address.port, backlog, both=True)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return _open_inet("0.0.0.0", address.port, backlog)
    return _open_inet(resolved or address.host, address.port, backlog)


def address_text(sock: socket.socket) -> str:
    name = sock.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    return str(Address(name[0], name[1]))


async def _open_patiently(listen: ListenSpec, patience_s: float) -> socket.socket:
    """Raises ControlError when the address cannot be had within `patience_s`."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + patience_s
    resolved = await _resolve(listen.address)
    while True:
        try:
            return open_listener(listen.address, listen.backlog, resolved)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or loop.time() >= deadline_s:
                raise _refused(listen.address, error) from error
        await asyncio.sleep(BUSY_RETRY_S)


async def _resolve(address: Address) -> str | None:
    """The first address of a name; None for what needs no look-up."""
    if address.host == "*" or address.host.startswith("unix:"):
        return None
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _refused(address, error) from error
    return str(found[0][4][0])


def _refused(address: Address, error: OSError) -> ControlError:
    return ControlError(f"cannot listen on {address}: {error.strerror or error}", 409)


def _open_inet(host: str, port: int, backlog: int, *, both: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        sock.bind((host, port))
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_unix(path: str, backlog: int, mode: int | None = None) -> socket.socket:
    """A file left by a dead process is replaced; one that somebody answers on is not."""
    remove_dead_socket(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if mode is not None:
            os.fchmod(sock.fileno(), mode)  # bind() gives the file the mode of the socket
        sock.bind(path)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def open_private_unix(path: str) -> socket.socket:
    """A unix listener for the owner alone. Raises OSError."""
    return _open_unix(path, backlog=64, mode=0o600)


def remove_dead_socket(path: str) -> None:
    """Raises OSError (EADDRINUSE) when somebody answers on it."""
    try:
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except OSError as error:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from error
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _close(sockets: Mapping[Address, socket.socket], which: Iterable[Address]) -> None:
    for address in list(which):
        if address in sockets:
            sockets[address].close()
            if address.host.startswith("unix:"):
                Path(address.host.removeprefix("unix:")).unlink(missing_ok=True)
