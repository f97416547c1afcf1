"""Two real servers for real clients: nginx with files, and aiohttp with what a page needs.

It knows nothing of the director; the servers say what they were asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import WSMsgType, web

DEADLINE_S = 30.0
WEBSOCKET_LIMIT = 4 << 20
"""Longest message in octets."""
PAGE = """\
<!doctype html>
<title>page</title>
<p id="api"></p><p id="echo"></p><p id="end"></p>
<script>
const visitor = location.search;
const held = document.createElement("script");
held.src = "/held" + visitor;
document.head.append(held);
const write = (id, text) => { document.getElementById(id).textContent = text; };
async function visit() {
  const answer = await (await fetch("/api?page")).json();
  write("api", answer.said);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws`);
  await new Promise((done, failed) => {
    socket.onopen = () => socket.send("from the page");
    socket.onmessage = (event) => { write("echo", event.data); socket.close(1000); };
    socket.onerror = failed;
    socket.onclose = (event) => done(write("end", `closed ${event.code}`));
  });
}
visit()
  .catch((error) => write("end", `failed: ${error}`))
  .finally(() => fetch("/release" + visitor));
</script>
"""
"""Its load event waits for /held, which is answered when the script has all results."""
NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  default_type text/html;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen unix:{folder}/nginx.sock;
    root {folder}/files;
  }}
}}
"""


def program(name: str) -> str:
    """Its path; a program that is not installed is a failure."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    assert found is not None, f"{name} is not installed: scripts/packages test"
    return found


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """nginx that serves `folder`/files; its address. It may still be starting."""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder))
    command = [program("nginx"), "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(config)]
    with (folder / "nginx.out").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield f"unix:{folder}/nginx.sock"
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Application:
    """/api, /echo, /ws, and /held that is answered after /release."""

    def __init__(self) -> None:
        self._released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api", self.api),
            web.post("/echo", self.echo),
            web.get("/ws", self.websocket),
            web.get("/held", self.held),
            web.get("/release", self.release),
        ]

    async def api(self, request: web.Request) -> web.Response:
        scheme = request.headers.get("X-Forwarded-Proto", "nothing")
        return web.json_response({"said": f"hello {request.query_string} over {scheme}"})

    async def echo(self, request: web.Request) -> web.Response:
        """What came: its framing, size and hash."""
        digest = hashlib.sha256()
        size = 0
        async for part in request.content.iter_any():
            digest.update(part)
            size += len(part)
        chunked = request.headers.get("Transfer-Encoding", "") == "chunked"
        return web.json_response({"size": size, "sha256": digest.hexdigest(), "chunked": chunked})

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("echo.v1",), max_msg_size=WEBSOCKET_LIMIT)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    async def held(self, request: web.Request) -> web.Response:
        await asyncio.wait_for(self._released[request.query_string].wait(), DEADLINE_S)
        return web.Response(text="", content_type="text/javascript")

    async def release(self, request: web.Request) -> web.Response:
        self._released[request.query_string].set()
        return web.Response(status=204)


@contextmanager
def application() -> Iterator[tuple[str, str]]:
    """aiohttp's server in a loop and thread of its own; its two addresses."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = None
    try:
        runner = asyncio.run_coroutine_threadsafe(_start(), loop).result(DEADLINE_S)
        first, second = (f"127.0.0.1:{address[1]}" for address in runner.addresses)
        yield first, second
    finally:
        if runner is not None:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(DEADLINE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)
        loop.close()


async def _start() -> web.AppRunner:
    app = web.Application(client_max_size=0)
    app.add_routes(Application().routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for _ in range(2):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner
