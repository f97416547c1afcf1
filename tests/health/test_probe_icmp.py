"""ICMP in a network namespace of the test's own, where it may say who is allowed to send it."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from l7lb.health import probe_icmp
from l7lb.health.probe import ProbeFailed, Target, run
from l7lb.health.prober import PROBES
from l7lb.model import CheckKind, CheckSpec

ROOT = Path(__file__).parents[2]
PROBE = """
import asyncio, pathlib, socket, sys, uvloop
from l7lb.health.probe import ProbeFailed, Target, run
from l7lb.health.prober import PROBES
from l7lb.model import CheckKind, CheckSpec
loop, groups, address = sys.argv[1:]
if groups:
    pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text(groups)
family = socket.AF_INET6 if ":" in address else socket.AF_INET
sockaddr = (address, 80, 0, 0) if ":" in address else (address, 80)
target = Target((family, sockaddr), address, CheckSpec(CheckKind.ICMP, timeout_s=0.5))
factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[loop]
with asyncio.Runner(loop_factory=factory) as runner:
    result = runner.run(run(target, PROBES))
print(result.ok, result.detail, result.reply[:1].hex(), sep="|")
"""
PING, RAW = "0 0", ""
"""Groups that may use ping sockets; none in a new namespace, so that a raw one must do."""


def probe_in_namespace(loop: str, groups: str, address: str) -> str:
    """The probe's result as `ok|detail|type of the reply`, from a namespace with loopback only."""
    command = f"ip link set lo up && exec {sys.executable} -c \"$0\" {loop} '{groups}' {address}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", command, PROBE],
        cwd=ROOT,
        env={"PYTHONPATH": ".:protocols:storage", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("groups", [PING, RAW])
@pytest.mark.parametrize(("address", "kind"), [("127.0.0.1", "00"), ("::1", "81")])
def test_loopback_answers(loop: str, groups: str, address: str, kind: str) -> None:
    assert probe_in_namespace(loop, groups, address) == f"True|echo reply|{kind}"


@pytest.mark.parametrize("groups", [PING, RAW])
def test_no_route_is_told(groups: str) -> None:
    assert probe_in_namespace("asyncio", groups, "192.0.2.1") == "False|network is unreachable|"


def test_neither_way_allowed_is_told_in_clear_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    family = probe_icmp.FAMILIES[socket.AF_INET]
    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(ProbeFailed) as raised:
        probe_icmp.open_socket(socket.AF_INET, family)
    assert str(raised.value) == probe_icmp.NOT_ALLOWED


async def test_a_local_socket_has_no_icmp() -> None:
    target = Target((socket.AF_UNIX, "/run/x"), "unix:/run/x", CheckSpec(CheckKind.ICMP))
    result = await run(target, PROBES)
    assert (result.ok, result.detail) == (False, "a local socket cannot be probed by ICMP")


class FakeRaw:
    type, family = socket.SOCK_RAW, socket.AF_INET


@pytest.mark.parametrize(
    ("packet", "expected"),
    [(b"\x45" + b"h" * 19 + b"\x00\x00rest", b"\x00\x00rest"), (b"", b"")],
)
def test_a_raw_packet_loses_its_ip_header(packet: bytes, expected: bytes) -> None:
    assert probe_icmp.icmp_part(FakeRaw(), packet) == expected  # type: ignore[arg-type]


def test_an_echo_sums_to_zero() -> None:
    message = probe_icmp.echo(8, bytes(range(240, 256)))
    assert message[0] == 8
    assert probe_icmp.checksum(message) == 0
