from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from l7lb.health.probe import REPLY_BYTES, Reply, Target, run, words
from l7lb.health.prober import PROBES
from l7lb.model import CheckKind, CheckSpec, Endpoint
from support.probe_targets import Origins, probe_once

TCP = CheckSpec(CheckKind.TCP)


async def test_an_open_port_is_good(origins: Origins) -> None:
    port = await origins.says(b"")
    result = await probe_once(port, TCP)
    assert (result.ok, result.detail, result.reply) == (True, "connected", b"")


async def test_a_closed_port_is_bad_in_words(closed_port: int) -> None:
    result = await probe_once(closed_port, TCP)
    assert (result.ok, result.detail) == (False, "connection refused")


async def test_the_checks_own_port_is_used(origins: Origins, closed_port: int) -> None:
    port = await origins.says(b"")
    assert (await probe_once(closed_port, CheckSpec(CheckKind.TCP, port=port))).ok


async def test_a_connect_that_hangs_meets_the_deadline() -> None:
    """A full accept queue: the kernel drops the SYN, as a dead host would."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        result = await probe_once(address[1], CheckSpec(CheckKind.TCP, timeout_s=0.05))
        for filler in fillers:
            filler.close()
    assert (result.ok, result.detail) == (False, "no answer within 0.05 s")


async def test_a_local_socket_can_be_probed(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        result = await run(Target((socket.AF_UNIX, path), "unix:" + path, TCP), PROBES)
    assert result.ok


async def test_a_deadline_of_another_is_not_taken_for_ours() -> None:
    async def probe(target: Target, reply: Reply) -> str:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    target = Target((socket.AF_INET, ("127.0.0.1", 1)), "", TCP)
    result = await run(target, {CheckKind.TCP: probe})
    assert (result.ok, result.detail) == (False, "connection timed out")


async def test_being_cancelled_is_not_a_result() -> None:
    entered = asyncio.Event()

    async def probe(target: Target, reply: Reply) -> str:
        entered.set()
        return await asyncio.get_running_loop().create_future()

    target = Target((socket.AF_INET, ("127.0.0.1", 1)), "", TCP)
    task = asyncio.ensure_future(run(target, {CheckKind.TCP: probe}))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_only_the_first_bytes_of_a_reply_are_kept() -> None:
    reply = Reply()
    for _ in range(3):
        reply.add(b"x" * 300)
    assert reply.data == b"x" * REPLY_BYTES


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ((socket.AF_INET, ("10.0.0.1", 80)), (socket.AF_INET, ("10.0.0.1", 81))),
        ((socket.AF_INET6, ("::1", 80, 0, 3)), (socket.AF_INET6, ("::1", 81, 0, 3))),
        ((socket.AF_UNIX, "/run/x"), (socket.AF_UNIX, "/run/x")),
    ],
)
def test_dial_puts_the_port_of_the_check_in(endpoint: Endpoint, expected: Endpoint) -> None:
    assert Target(endpoint, "x", CheckSpec(port=81)).dial == expected
    assert Target(endpoint, "x", CheckSpec()).dial == endpoint


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to host"),
        (ConnectionResetError(), "connection reset"),
        (OSError("odd"), "odd"),
        (OSError(), "OSError"),
    ],
)
def test_words(error: Exception, text: str) -> None:
    assert words(error) == text
