"""What the kernel does for media, as one director wants it: the media-kernel process, its orders,
and what it finds out about each server's ways.

Owns the process, where the director may start one, and the newest findings. Lives in the
supervisor; workers are told. Must not know sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path

from l7lb import children
from l7lb.director.paths import private_directory, state_path
from l7lb.errors import MediaAway, MediaRefused
from l7lb.media.kernel.client import MediaKernel
from l7lb.media.kernel.spec import KERNEL_MODES, BadWant, Want
from l7lb.media.modes import Known
from l7lb.model import Address, ClusterSpec, DirectorSpec, PoolSpec, ServiceSpec

COMMAND = (sys.executable, "-m", "l7lb", "media-kernel", "--while-stdin")
SOCKET = "media/kernel.sock"
EVERY_S = 15.0
"""Between two looks; what is wanted is told each time, for a process that has begun anew."""
AT_ONCE = 4
"""Probes under way."""
BACKOFF_S = (0.2, 5.0)
QUICK_DEATH_S = 10.0
READY_S = 10.0
END_S = 5.0
NOT_THERE = "the media-kernel process is not there"
NO_AGENT = "no key for agents in director.media"
Spot = tuple[str, str, str]
"""Service, pool, server."""
Found = Mapping[Spot, Known]
Note = Callable[[str, int, dict[str, object]], None]


def kernel_path(spec: DirectorSpec) -> Path:
    return Path(spec.media.kernel) if spec.media.kernel else state_path(spec) / SOCKET


def vips_of(service: ServiceSpec) -> list[str]:
    """As the file says, else the addresses that are listened on."""
    if service.rtsp.vips:
        return list(service.rtsp.vips)
    hosts = dict.fromkeys(listen.address.host for listen in service.listen)
    return [host for host in hosts if _is_address(host)]


def _is_address(host: str) -> bool:
    try:
        return not ip_address(host).is_unspecified
    except ValueError:
        return False


def kernel_servers(spec: ClusterSpec) -> Iterator[tuple[ServiceSpec, PoolSpec, dict[str, object]]]:
    """What the kernel has a part in: servers with media ports, in pools with such a mode."""
    for service in spec.services.values():
        if service.protocol != "rtsp":
            continue
        names = dict.fromkeys(name for route in service.routes for name, _ in route.pools)
        for pool in (spec.pools[name] for name in names):
            modes = [mode.value for mode in pool.media.modes]
            if not set(modes) & set(KERNEL_MODES):
                continue
            for server in pool.servers:
                if server.media_ports is not None and _is_address(server.address.host):
                    yield (
                        service,
                        pool,
                        _server(pool, server.name, server.address, modes)
                        | {"media_ports": list(server.media_ports)},
                    )


def _server(pool: PoolSpec, name: str, address: Address, modes: list[str]) -> dict[str, object]:
    return {
        "name": f"{pool.name}/{name}",
        "address": address.host,
        "port": address.port,
        "modes": modes,
    }


def wanted(spec: ClusterSpec) -> Want:
    """Raises BadWant."""
    services: dict[str, dict[str, object]] = {}
    for service, _, server in kernel_servers(spec):
        entry = services.setdefault(
            service.name,
            {
                "name": service.name,
                "vips": vips_of(service),
                "ports": sorted({each.address.port for each in service.listen} - {0}),
                "servers": [],
            },
        )
        listed = entry["servers"]
        assert isinstance(listed, list)
        listed.append(server)
    return Want.parse({"services": list(services.values())})


class KernelDesk:
    """`reconcile` with each running file; `told` is called with what is found when it changes."""

    def __init__(self, note: Note, told: Callable[[Found], None]) -> None:
        self._note = note
        self._told = told
        self._spec: ClusterSpec | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._client: MediaKernel | None = None
        self.found: dict[Spot, Known] = {}
        self._counted: dict[str, object] = {}
        self.trouble = ""
        """Why nothing can be asked of it; empty: it answers."""

    def reconcile(self, spec: ClusterSpec) -> None:
        """Never waits. Nothing begins before a file asks for it."""
        self._spec = spec
        self._changed.set()
        if self._tasks or not any(True for _ in kernel_servers(spec)):
            return
        path = kernel_path(spec.director)
        self._client = MediaKernel(path)
        if not spec.director.media.kernel:
            self._tasks.append(asyncio.create_task(self._keep(path), name="media-kernel"))
        self._tasks.append(asyncio.create_task(self._look(), name="media-kernel looks"))

    def view(self) -> dict[str, object] | None:
        """JSON: by service and server what stands against what; packets and octets, and when they
        were counted. None: not in use."""
        if not self._tasks:
            return None
        return {
            "trouble": self.trouble,
            "servers": {"/".join(s): vars_of(k) for s, k in self.found.items()},
            "counted": self._counted,
        }

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            self._client.close()

    # ------------------------------------------------------------------ looking

    async def _look(self) -> None:
        while True:
            self._changed.clear()
            assert self._spec is not None
            found = await self._findings(self._spec)
            if found != self.found:
                self.found = found
                self._told(found)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), EVERY_S)

    async def _findings(self, spec: ClusterSpec) -> dict[Spot, Known]:
        servers = list(kernel_servers(spec))
        spots = [_spot(service, server) for service, _, server in servers]
        try:
            assert self._client is not None
            said = await self._client.want(wanted(spec))
            self._counted = await self._client.counters() | {"at_s": time.time()}
        except (MediaAway, MediaRefused, BadWant) as error:
            self._set_trouble(str(error))
            return {spot: Known(kernel=str(error)) for spot in spots}
        self._set_trouble("")
        refused = _left_out(said)
        places = asyncio.Semaphore(AT_ONCE)

        async def one(service: ServiceSpec, pool: PoolSpec, server: dict[str, object]) -> Known:
            reason = refused.get((service.name, str(server["name"])), "")
            if reason:
                return Known(kernel=reason)
            async with places:
                return await self._probe(spec, service, pool, server)

        known = await asyncio.gather(*(one(*each) for each in servers))
        return dict(zip(spots, known, strict=True))

    async def _probe(
        self, spec: ClusterSpec, service: ServiceSpec, pool: PoolSpec, server: dict[str, object]
    ) -> Known:
        media = spec.director.media
        version = ip_address(str(server["address"])).version
        at = next((each for each in media.probe_at if ip_address(each).version == version), "")
        agent = pool.media.agent_port if media.key and at else 0
        try:
            assert self._client is not None
            said = await self._client.probe((service.name, str(server["name"])), agent, at)
        except (MediaAway, MediaRefused) as error:
            return Known(kernel=str(error))
        return known_of(said, NO_AGENT if not media.key else "no probe_at of this family")

    def _set_trouble(self, words: str) -> None:
        if words != self.trouble:
            self.trouble = words
            level = logging.WARNING if words else logging.INFO
            self._note(
                "media-kernel-away" if words else "media-kernel-answers", level, {"reason": words}
            )

    # ------------------------------------------------------------------ the process

    async def _keep(self, path: Path) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = BACKOFF_S[0]
        while True:
            started_s = loop.time()
            await self._live(path)
            if loop.time() - started_s >= QUICK_DEATH_S:
                backoff_s = BACKOFF_S[0]
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, BACKOFF_S[1])

    async def _live(self, path: Path) -> None:
        """The life of one process; it ends when we do, for then its standard input ends. Its rules
        stay, for the players that have begun."""
        assert self._spec is not None
        key = self._spec.director.media.key
        more = ("--key", key) if key else ()
        try:
            private_directory(path.parent)
            process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "--socket", str(path), *more),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._note("media-kernel-not-started", logging.WARNING, {"reason": str(error)})
            return
        try:
            assert process.stdout is not None
            if (await process.stdout.readline()).startswith(b"ready"):
                self._note("media-kernel-started", logging.INFO, {"pid": process.pid})
                self._changed.set()
            code = await process.wait()
            self._note("media-kernel-ended", logging.WARNING, {"reason": f"exit status {code}"})
        finally:
            await children.end(process, END_S)


def _spot(service: ServiceSpec, server: Mapping[str, object]) -> Spot:
    pool, _, name = str(server["name"]).partition("/")
    return service.name, pool, name


def _left_out(said: Mapping[str, object]) -> dict[tuple[str, str], str]:
    """From the answer to `want`: by service and server, why the kernel does not serve it."""
    servers = said.get("servers")
    found = {}
    for each in servers if isinstance(servers, list) else ():
        if isinstance(each, dict) and not each.get("placed"):
            reason = str(each.get("reason") or "the kernel does not serve it")
            found[str(each.get("service")), str(each.get("server"))] = reason
    return found


def known_of(said: Mapping[str, object], no_agent: str) -> Known:
    """From the answer to `probe`. `no_agent`: what to say where none was asked.

    Beside an agent only RTSP's answers are sent back this way, so that they are says nothing of
    UDP: there it must be known.
    """
    reason = str(said.get("reason", ""))
    lost = {"lost", "failed", "unknown"} if "agent" in said else {"lost", "failed"}
    return Known(
        agent=str(said.get("agent", no_agent)),
        spoof=str(said.get("spoof", no_agent)),
        control="" if said.get("control") == "comes-back" else reason or "not known",
        media=reason if said.get("media") in lost else "",
    )


def vars_of(known: Known) -> dict[str, object]:
    fields = ("kernel", "agent", "spoof", "control", "media")
    return {name: getattr(known, name) for name in fields}
