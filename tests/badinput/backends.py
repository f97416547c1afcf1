"""Real servers behind the director, each started on loopback, each telling what it saw.

nginx and HAProxy pass on to a recorder: what it records is what they understood.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from badinput.recorder import WAIT_S, Recorder
from badinput.seen import Seen

NGINX = """\
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log {dir}/access.log;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  large_client_header_buffers 8 64k;
  underscores_in_headers on;
  ignore_invalid_headers off;
  merge_slashes off;
  upstream recorder {{ server 127.0.0.1:{recorder}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://recorder;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""
HAPROXY = """\
global
  tune.bufsize 65536
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:{port}
  default_backend recorder
backend recorder
  server r1 127.0.0.1:{recorder}
"""


@dataclass(frozen=True)
class Backend:
    """A server by its port, and the recorder that knows what it saw."""

    name: str
    port: int
    recorder: Recorder


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def await_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until something accepts on `port`; fails at once when the process ends."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise AssertionError(f"nothing listens on {port} after {WAIT_S} s")


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """The command, from when `port` accepts; ended by its process id afterwards."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            await_listening(port, process)
            yield
        finally:
            process.terminate()
            try:
                process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def recording() -> Iterator[Backend]:
    """The recorder itself: what leaves the director, read by h11."""
    recorder = Recorder()
    yield Backend("recorder", recorder.port, recorder)
    recorder.close()


@contextmanager
def nginx(directory: Path) -> Iterator[Backend]:
    yield from _through("nginx", NGINX, ["-p", str(directory), "-c"], directory)


@contextmanager
def haproxy(directory: Path) -> Iterator[Backend]:
    yield from _through("haproxy", HAPROXY, ["-f"], directory)


def _through(name: str, template: str, arguments: list[str], directory: Path) -> Iterator[Backend]:
    program = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert program is not None, f"the package {name} is not installed"
    port = free_port()
    recorder = Recorder()
    config = directory / f"{name}.conf"
    config.write_text(template.format(dir=directory, port=port, recorder=recorder.port))
    with running([program, *arguments, str(config)], port, directory / f"{name}.out"):
        yield Backend(name, port, recorder)
    recorder.close()


@contextmanager
def aiohttp() -> Iterator[Backend]:
    """aiohttp's server in a loop and thread of its own."""
    recorder = Recorder()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner, port = asyncio.run_coroutine_threadsafe(_aiohttp(recorder), loop).result(WAIT_S)
    yield Backend("aiohttp", port, recorder)
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(WAIT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WAIT_S)
    loop.close()
    recorder.close()


async def _aiohttp(recorder: Recorder) -> tuple[web.ServerRunner, int]:
    async def handle(request: web.BaseRequest) -> web.Response:
        body = await request.read()
        fields = tuple((name.lower(), value) for name, value in request.raw_headers)
        method, target = (
            request.method.encode(),
            request.raw_path.encode("utf-8", "surrogateescape"),
        )
        recorder.add(Seen(method, target, body, fields))
        return web.Response(text="ok")

    runner = web.ServerRunner(web.Server(handle), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, int(runner.addresses[0][1])
