"""lockd below a supervisor: which store is in effect, and that there is one process, not two."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from l7lb.director.embedded_store import SOCKET_LIMIT_BYTES, EmbeddedStore
from l7lb.director.events import Events
from l7lb.director.store import engine_of
from l7lb.errors import ControlError
from l7lb.model import ClusterSpec, ServiceSpec
from l7lb.model_store import EtcdStore, LockdStore
from l7lb_storage import Mode, Node, SessionSpec
from support.running_director import Director, Origin, is_alive, until

MAIL = """\
pools:
  mail: {servers: {name: m1, address: 127.0.0.1, ports: {imap: 9}}, check: none}
services:
  imap: {protocol: imap, listen: "unix:imap.sock", routes: {pool: mail}}
"""
INCLUDED = "include: [mail.yaml]\n"


def with_mail(director: Director) -> Director:
    (director.folder / "mail.yaml").write_text(MAIL)
    director.write(more=INCLUDED, workers=1)
    return director


@pytest.fixture
def pair(tmp_path: Path, origins: tuple[Origin, Origin]) -> Iterator[tuple[Director, Director]]:
    """Two with one state directory; not started."""
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        director = with_mail(Director(tmp_path / name, *origins))
        text = director.file.read_text()
        shared = f"state: {tmp_path}/state"
        director.file.write_text(text.replace(f"state: {tmp_path}/{name}/state", shared))
        made.append(director)
    yield made[0], made[1]
    for director in made:
        director.close()


def store(director: Director) -> dict[str, Any]:
    """As the status shows it; empty when it does not."""
    found = director.status()["store"]
    return found if isinstance(found, dict) else {}


def embedded(director: Director) -> dict[str, Any]:
    found = store(director).get("embedded")
    return found if isinstance(found, dict) else {}


def running_pid(director: Director, other_than: int = 0) -> int:
    """Of a lockd that answers."""

    def look() -> int:
        shown = embedded(director)
        answers = store(director).get("state") == "answers" and shown.get("state") == "runs"
        pid = shown.get("pid")
        return pid if answers and isinstance(pid, int) and pid != other_than else 0

    return until(look, "a store that answers")


async def token(socket: Path) -> int:
    """Of a lock that is taken and given back."""
    engine = engine_of(LockdStore(f"unix:{socket}"))
    await engine.open()
    try:
        async with Node(engine, SessionSpec("test")) as node:
            session = await node.ready(30.0)
            lock = await session.acquire("user/anna", Mode.EX, timeout_s=30.0)
            found = lock.token
            await lock.release()
            return found
    finally:
        await engine.close()


# --------------------------------------------------------------------------- which store


def spec_of(*protocols: str) -> ClusterSpec:
    return ClusterSpec({}, {name: ServiceSpec(name, name, (), ()) for name in protocols})


class HeardEvents(Events):
    """Names of events as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, name: str, level: int = logging.INFO, /, **fields: object) -> None:
        super().emit(name, level, **fields)
        self.heard.put_nowait(name)


def test_mail_without_a_store_gets_one(tmp_path: Path) -> None:
    ours = EmbeddedStore(tmp_path, Events())
    assert [spec_of(each).has_mail for each in ("http", "imap", "pop3", "smtp")] == [
        False,
        True,
        True,
        True,
    ]
    mail = spec_of("http", "imap")
    assert ours.in_effect(mail) == replace(mail, store=ours.spec)
    assert ours.serves(ours.in_effect(mail))
    assert ours.in_effect(spec_of("http")) == spec_of("http")
    named = replace(mail, store=EtcdStore(("http://a",)))
    assert ours.in_effect(named) == named
    assert not ours.serves(named)
    assert ours.view() is None


def test_a_path_that_no_socket_takes_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * SOCKET_LIMIT_BYTES)
    with pytest.raises(ControlError, match="too long for a socket"):
        EmbeddedStore(deep, Events()).in_effect(spec_of("imap"))


async def test_a_command_that_does_not_start_is_told_and_tried_again(tmp_path: Path) -> None:
    events = HeardEvents()
    ours = EmbeddedStore(tmp_path, events, ("/nowhere/lockd",))
    ours.reconcile(ours.in_effect(spec_of("smtp")))
    for _ in range(2):
        assert await asyncio.wait_for(events.heard.get(), 60.0) == "store-not-started"
    shown = ours.view()
    assert shown is not None
    assert (shown["pid"], shown["state"]) == (None, "down")
    await ours.close()


# --------------------------------------------------------------------------- with a supervisor


async def test_killed_it_comes_back_with_its_tokens(idle_director: Director) -> None:
    director = with_mail(idle_director).start()
    first = running_pid(director)
    socket = director.folder / "state/lockd/lockd.sock"
    before = await token(socket)
    os.kill(first, signal.SIGKILL)
    running_pid(director, other_than=first)
    assert director.events("store-ended")
    assert await token(socket) > before
    assert director.client.get("/v1/locks")["locks"] == []


def test_it_ends_with_the_supervisor(idle_director: Director) -> None:
    director = with_mail(idle_director).start()
    pid = running_pid(director)
    director.signal(signal.SIGTERM)
    assert director.wait() == 0
    assert not is_alive(pid)


def test_it_ends_with_a_supervisor_that_is_killed(idle_director: Director) -> None:
    director = with_mail(idle_director).start()
    pid = running_pid(director)
    director.signal(signal.SIGKILL)
    director.wait()
    until(lambda: not is_alive(pid), "the end of lockd")


def test_two_supervisors_start_one(pair: tuple[Director, Director]) -> None:
    first, second = pair
    first.start()
    pid = running_pid(first)
    second.start()
    until(lambda: store(second).get("state") == "answers", "the first one's store")
    assert embedded(second)["state"] == "of another director"
    assert (embedded(second)["pid"], embedded(second)["starts"]) == (None, 0)
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert running_pid(second) != pid


def test_a_reload_that_brings_mail_brings_the_store(idle_director: Director) -> None:
    director = idle_director.start()
    assert director.status()["store"] is None
    with_mail(director)
    answer = director.client.post("/v1/reload", {})
    assert answer["at_restart"] == []
    assert not any("store" in str(change) for change in answer["changes"])
    assert running_pid(director)
