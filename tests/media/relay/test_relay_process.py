"""The relay as a process: started, killed and started again, ended; its command line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.errors import RelayAway, RelayRefused
from l7lb.media.relay import wire
from l7lb.media.relay.client import RelayClient
from l7lb.media.relay.process import RelayProcess, listening_socket
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import Counters, Open, Peers, Touch
from support.datagrams import WAIT_S, own_host, port_of, read, udp
from support.relay_rig import SPEC, Talk

pytestmark = pytest.mark.timeout(120)

HERE = "127.0.0.1"
OPEN = Open(HERE, HERE, own_host(7), own_host(8))
Noted = list[tuple[str, dict[str, object]]]


@contextlib.asynccontextmanager
async def running(
    path: Path, spec: RelaySpec = SPEC
) -> AsyncIterator[tuple[RelayProcess, RelayClient, Noted]]:
    noted: Noted = []
    process = RelayProcess(path, spec, lambda event, _, fields: noted.append((event, fields)))
    process.start()
    client = RelayClient(path, deadline_s=WAIT_S)
    client.start()
    try:
        yield process, client, noted
    finally:
        await client.close()
        await process.close()


async def test_packets_pass_through_the_process(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with running(tmp_path / "relay") as (_, client, _noted):
        opened = await client.open(OPEN)
        with udp() as player, udp() as server:
            ports = (port_of(player), 0), (port_of(server), 0)
            await client.peers(Peers(opened.session, 0, *ports))
            for number in range(200):
                server.sendto(b"%d" % number, (OPEN.server_local, opened.server_ports[0]))
            found = [await loop.run_in_executor(None, player.recv, 100) for _ in range(200)]
        assert found == [b"%d" % number for number in range(200)]
        assert (await client.counters(Counters()))["server_packets"] == 200


async def test_a_killed_process_is_started_again_on_the_same_socket(tmp_path: Path) -> None:
    async with running(tmp_path / "relay", replace(SPEC, cooling_s=0.0)) as (
        process,
        client,
        noted,
    ):
        opened = await client.open(OPEN)
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(WAIT_S):
            while process.starts < 2:
                await asyncio.sleep(0.01)
        with pytest.raises(RelayRefused, match="no such session"):
            await again(client, Touch(opened.session))
        assert process.pid != first
        assert (await client.open(OPEN)).client_ports == opened.client_ports
        assert ("relay-ended", {"reason": "exit status -9"}) in noted


async def again(client: RelayClient, ask: Touch) -> None:
    """A request on the connection that is just found to be lost fails once."""
    with contextlib.suppress(RelayAway):
        await client.touch(ask)
        return
    await client.touch(ask)


async def test_closing_ends_the_process_and_its_path(tmp_path: Path) -> None:
    async with running(tmp_path / "relay") as (process, _, _noted):
        await asyncio.wait_for(process.runs.wait(), WAIT_S)
        pid = process.pid
        assert pid is not None
    assert process.pid is None
    assert not (tmp_path / "relay").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_command_that_cannot_be_started_is_noted_and_tried_again(tmp_path: Path) -> None:
    noted: Noted = []
    process = RelayProcess(
        tmp_path / "relay",
        SPEC,
        lambda event, _, fields: noted.append((event, fields)),
        [str(tmp_path / "none")],
    )
    process.start()
    async with asyncio.timeout(WAIT_S):
        while len(noted) < 2:
            await asyncio.sleep(0.01)
    await process.close()
    assert {event for event, _ in noted} == {"relay-not-started"}


@pytest.mark.parametrize(
    ("name", "words"), [("none/relay", "No such file"), ("x" * 200, "path too long")]
)
async def test_a_path_that_cannot_be_listened_at(tmp_path: Path, name: str, words: str) -> None:
    process = RelayProcess(tmp_path / name, SPEC, lambda *_: None)
    with pytest.raises(RelayAway, match=words):
        process.start()
    await process.close()


def test_the_socket_is_the_owners_alone_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "relay"
    listening_socket(path).close()
    with listening_socket(path):
        assert path.stat().st_mode & 0o777 == 0o600


def command(*arguments: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "l7lb.media.relay", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    with listening_socket(tmp_path / "relay") as listener:
        process = command(str(listener.fileno()), pass_fds=(listener.fileno(),))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")


def test_the_end_of_its_standard_input_ends_it(tmp_path: Path) -> None:
    with listening_socket(tmp_path / "relay") as listener:
        fd = listener.fileno()
        process = command(str(fd), "--while-stdin", "--ports", "29000-29999", pass_fds=(fd,))
        talk = Talk(tmp_path / "relay")
        reply = talk.ask(OPEN)
        assert isinstance(reply, dict)
        assert 29000 <= reply["client_ports"][0] <= 29999  # type: ignore[index]
        _, errors = process.communicate(timeout=WAIT_S)
        talk.close()
    assert (process.returncode, errors) == (0, "")


NO_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
"""As root; anybody else has none."""


def test_it_needs_no_privilege(tmp_path: Path) -> None:
    with listening_socket(tmp_path / "relay") as listener, udp() as player, udp() as server:
        fd = listener.fileno()
        program = [sys.executable, "-m", "l7lb.media.relay", str(fd), "--ports", "29000-29999"]
        first = NO_CAPABILITIES if os.geteuid() == 0 else ()
        process = subprocess.Popen([*first, *program], pass_fds=(fd,), stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        talk = Talk(tmp_path / "relay")
        reply = talk.ask(OPEN)
        assert isinstance(reply, dict)
        opened = wire.opened(reply)
        talk.ask(Peers(opened.session, 0, (port_of(player), 0), (port_of(server), 0)))
        server.sendto(b"picture", (OPEN.server_local, opened.server_ports[0]))
        assert read(player) == [b"picture"]
        talk.close()
        process.terminate()
        process.communicate(timeout=WAIT_S)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("9999",), "Bad file descriptor"),
        (("FD", "--ports", "30000-20000"), "are no range"),
        (("FD", "--ports", "20001-20003"), "two pairs of ports"),
        (("FD", "--ports", "all"), "invalid literal"),
        (("FD", "--sessions", "0"), "bounds and times"),
    ],
)
def test_a_bad_command_line_says_why(arguments: tuple[str, ...], words: str) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        fd = one.fileno()
        filled = [str(fd) if each == "FD" else each for each in arguments]
        process = command(*filled, pass_fds=(fd,))
        _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert words in errors
    assert "Traceback" not in errors
