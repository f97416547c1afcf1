"""`l7lb run` in a process of its own, with a service for each server behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from badinput import backends
from badinput.backends import Backend
from badinput.catalogue.responses import RESPONSES
from badinput.scripted import Scripted

ROOT = Path(__file__).parents[2]
POOL = """\
  {name}:
    servers: ["127.0.0.1:{port}"]
    check: none
    outlier: none
"""
SERVICE = """\
  {name}:
    protocol: http
    listen: "127.0.0.1:{port}"
    access_log: {{format: off}}
    routes: [{{pool: {name}}}]
"""
DIRECTOR = """\
director:
  workers: 1
  control: {dir}/control.sock
  state: {dir}
"""


@dataclass(frozen=True)
class Director:
    """What runs: both by the name of the server behind."""

    ports: dict[str, int]
    servers: dict[str, Backend]


def rules(directory: Path, listen: dict[str, int], servers: dict[str, int]) -> str:
    pools = "".join(POOL.format(name=name, port=port) for name, port in servers.items())
    services = "".join(SERVICE.format(name=name, port=port) for name, port in listen.items())
    return f"pools:\n{pools}services:\n{services}{DIRECTOR.format(dir=directory)}"


@contextmanager
def running_director(directory: Path) -> Iterator[Director]:
    """The director and all servers, from when it accepts until all have ended."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(backends.recording()),
            stack.enter_context(backends.nginx(directory)),
            stack.enter_context(backends.haproxy(directory)),
            stack.enter_context(backends.aiohttp()),
        ]
        scripted = Scripted(RESPONSES)
        stack.callback(scripted.close)
        behind = {server.name: server.port for server in servers} | {"scripted": scripted.port}
        listen = {name: backends.free_port() for name in behind}
        file = directory / "cluster.yaml"
        file.write_text(rules(directory, listen, behind))
        search = os.pathsep.join(str(ROOT / name) for name in ("", "protocols", "storage"))
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("PYTHONPATH", search)
        command = [sys.executable, "-m", "l7lb", "run", str(file)]
        ports = [*listen.values()]
        stack.enter_context(backends.running(command, ports[-1], directory / "l7lb.out"))
        yield Director(listen, {server.name: server for server in servers})
