"""Media: from the schema to its specifications, and what RTSP asks of pools, routes, listeners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from l7lb.config.schema_media import DirectorMedia, Media, Rtsp
from l7lb.config.scope import Scope
from l7lb.model import KeyKind, PersistenceKind, PoolSpec
from l7lb.model_media import DirectorMediaSpec, MediaSpec, Mode, RtspOptions
from l7lb.scheduling.registry import key_of

UNKNOWN_KEYS = frozenset({KeyKind.ACCOUNT, KeyKind.COOKIE})
"""What hashes and persistence cannot hang on."""
OF_HTTP = (
    "cookie",
    "redirect",
    "reply",
    "rewrite",
    "request_headers",
    "response_headers",
    "mirror",
    "allow_connect",
)
"""Keys of a route that mean nothing here."""
KEY_BYTES = (16, 4096)
KERNEL_MODES = frozenset({Mode.DIRECT, Mode.NAT})
Range = tuple[int, int]


def media_spec(media: Media, scope: Scope) -> MediaSpec:
    if len(set(media.modes)) < len(media.modes):
        scope.at("modes").problem("a mode stands here twice")
    return MediaSpec(tuple(Mode(name) for name in media.modes), media.agent_port)


def director_media(media: DirectorMedia, scope: Scope) -> DirectorMediaSpec:
    key = scope.at("key").path(media.key) if media.key else ""
    if key:
        _check_key(key, scope.at("key"))
    return DirectorMediaSpec(
        relay_ports=media.relay_ports,
        kernel=scope.at("kernel").path(media.kernel) if media.kernel else "",
        key=key,
        probe_at=tuple(media.probe_at),
    )


def _check_key(path: str, scope: Scope) -> None:
    try:
        length = len(Path(path).read_bytes().strip())
    except OSError as error:
        scope.problem(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")
        return
    if not KEY_BYTES[0] <= length <= KEY_BYTES[1]:
        scope.problem(f"the key has {length} bytes", f"from {KEY_BYTES[0]} to {KEY_BYTES[1]}")


def rtsp_options(rtsp: Rtsp, scope: Scope) -> RtspOptions:
    if len(set(rtsp.vip)) < len(rtsp.vip):
        scope.at("vip").problem("an address stands here twice")
    return RtspOptions(
        vips=tuple(rtsp.vip),
        interleaved=rtsp.interleaved,
        head_bytes=rtsp.head,
        body_bytes=rtsp.body,
        pipeline=rtsp.pipeline,
        silent_s=rtsp.silent,
        tcp_only_s=rtsp.tcp_only,
    )


def pool_faults(pool: PoolSpec) -> Iterator[tuple[str, str]]:
    """Why this pool cannot serve RTSP, and what to do."""
    persistence = pool.persistence
    if persistence and persistence.kind in {PersistenceKind.COOKIE, PersistenceKind.LEARNED}:
        yield "has persistence by cookie, which rtsp has not", "use published, source or a hash"
    for key in (key_of(pool.scheduler), persistence.key if persistence else None):
        if key is not None and key.kind in UNKNOWN_KEYS:
            yield f"hangs on {key.kind}, which rtsp has not", "use path or source"
    if pool.login:
        yield "has a login, which rtsp has not", ""
    if pool.tls and pool.tls.starttls:
        yield "begins TLS by STARTTLS, which rtsp has not", "leave starttls out"
    yield from overlaps(pool)


def is_media(pool: PoolSpec) -> bool:
    """Says it anything that only rtsp has?"""
    return pool.media != MediaSpec() or any(server.media_ports for server in pool.servers)


def overlaps(pool: PoolSpec) -> Iterator[tuple[str, str]]:
    """One port of the VIP belongs to one server."""
    ranges = [(server.media_ports, server.name) for server in pool.servers if server.media_ports]
    for at, (mine, name) in enumerate(ranges):
        for other, second in ranges[at + 1 :]:
            if meet(mine, other):
                yield f"has media_ports of {name} that are also {second}'s", "give each its own"


def meet(one: Range, other: Range) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def check_relay_ports(ports: Range, pools: Mapping[str, PoolSpec], scope: Scope) -> None:
    """What the kernel sends on to a server cannot come to the relay."""
    for pool in pools.values():
        modes = set(pool.media.modes)
        if Mode.RELAY not in modes or not modes & KERNEL_MODES:
            continue
        for server in pool.servers:
            if server.media_ports and meet(server.media_ports, ports):
                name = f"{pool.name}/{server.name}"
                spot = scope.at("relay_ports")
                spot.problem(f"relay_ports are also media_ports of {name}", "use another range")
                return
