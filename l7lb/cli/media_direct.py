"""`l7lb media-direct`: on a media server, its rules for answering straight to the players."""

from __future__ import annotations

import argparse
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from l7lb.media.key import read_key
from l7lb.media.onserver import process
from l7lb.media.onserver.agent import PORT
from l7lb.media.onserver.spec import OnServerSpec, Side

NAME = "media-direct"
HELP = "on a media server: answer straight to players in the VIP's name (needs CAP_NET_ADMIN)"
KINDS = ("address", "vip", "way_back", "relay")
Address = IPv4Address | IPv6Address


def configure(parser: argparse.ArgumentParser) -> None:
    for kind, words in zip(
        KINDS,
        (
            "this server's address, one of each family",
            "the service's VIP, one of each family",
            "address that the directors hold in turn: RTSP answers go there",
            "address from which a director relays in user space",
        ),
        strict=True,
    ):
        name = f"--{kind.replace('_', '-')}"
        parser.add_argument(
            name, metavar="ADDRESS", action="append", default=[], dest=kind, help=words
        )
    parser.add_argument("--media-ports", metavar="FIRST-LAST", required=True)
    parser.add_argument("--rtsp-port", metavar="PORT", type=int, default=554)
    parser.add_argument("--no-guard", action="store_true", help="let strangers' UDP come in")
    parser.add_argument("--key", metavar="FILE", type=Path, help="key that the directors have too")
    parser.add_argument("--agent-port", metavar="PORT", type=int, default=PORT)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="say what is not as it should be")
    what.add_argument("--undo", action="store_true", help="take every rule away")


def run(args: argparse.Namespace) -> int:
    try:
        spec = spec_of(args)
        if args.check:
            return process.check(spec)
        if args.undo:
            return process.undo(spec)
        if args.key is None:
            raise ValueError("--key FILE is needed: directors' orders are signed")
        return process.main(spec, (read_key(args.key), args.agent_port))
    except (OSError, ValueError) as error:
        print(f"l7lb media-direct: {error}", file=sys.stderr)
        return 2


def spec_of(args: argparse.Namespace) -> OnServerSpec:
    """Raises ValueError."""
    first, _, last = args.media_ports.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise ValueError(f"--media-ports {args.media_ports!r} is not FIRST-LAST")
    given = {kind: list(map(ip_address, getattr(args, kind))) for kind in KINDS}
    sides = tuple(_side(given, version) for version in (4, 6) if _of(given["address"], version))
    known = {side.address.version for side in sides}
    for kind, addresses in given.items():
        if any(address.version not in known for address in addresses):
            raise ValueError(f"--{kind.replace('_', '-')} of a family that --address has not")
    return OnServerSpec(sides, int(first), int(last or first), args.rtsp_port, not args.no_guard)


def _side(given: dict[str, list[Address]], version: int) -> Side:
    address, vip = _of(given["address"], version), _of(given["vip"], version)
    way_back = _of(given["way_back"], version)
    if len(address) != 1 or len(vip) != 1 or len(way_back) > 1:
        raise ValueError(f"IPv{version}: one --address, one --vip, at most one --way-back")
    relays = tuple(_of(given["relay"], version))
    return Side(address[0], vip[0], way_back[0] if way_back else None, relays)


def _of(addresses: list[Address], version: int) -> list[Address]:
    return [address for address in addresses if address.version == version]
