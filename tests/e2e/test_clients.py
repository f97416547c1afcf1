"""Programs that people use, through one director with two workers, with and without TLS.

nginx and aiohttp stand behind it. Whatever program is missing makes its tests fail.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.client import connect

from l7lb.cli.client import Json
from support.client_origins import PAGE, WEBSOCKET_LIMIT, application, nginx, program
from support.running_director import DEADLINE_S, Director, until

pytestmark = pytest.mark.timeout(150)

SMALL = "small answer\n"
BIG_SIZE = 48 << 20
"""Octets; more than every buffer on the way."""
UPLOAD_SIZE = 6 << 20
HOST = "www.example.org"
OTHER_HOST = "api.example.org"
ADDRESSES = {"http": "127.0.0.1", "https": "127.0.0.2"}
"""Of the two listeners."""
RULES = """\
pools:
  files: {{servers: ["{files}"], check: {{http: /small, every: 200ms}}}}
  application: {{servers: ["{first}", "{second}"], check: {{tcp: true, every: 200ms}}}}
services:
  www:
    protocol: http
    listen:
      - "127.0.0.1:0"
      - {{address: "127.0.0.2:0", tls: ["{folder}/www.pem", "{folder}/api.pem"]}}
    access_log: {{path: "{folder}/access.log"}}
    routes:
      - {{path: /api, pool: application}}
      - {{path: /echo, pool: application}}
      - {{path: /ws, pool: application}}
      - {{path: /held, pool: application}}
      - {{path: /release, pool: application}}
      - {{pool: files}}
director:
  workers: 2
  control: "{folder}/control.sock"
  state: "{folder}/state"
"""


@dataclass(frozen=True)
class Site:
    """What a client must know of the cluster."""

    ports: dict[str, int]
    ca: Path
    trust: ssl.SSLContext
    big_sha256: str

    def url(self, path: str, scheme: str = "http", host: str = "") -> str:
        return f"{scheme}://{host or ADDRESSES[scheme]}:{self.ports[scheme]}{path}"


@dataclass(frozen=True)
class Ended:
    """A program that ended by itself within its deadline."""

    status: int
    output: str
    errors: str


def run(*command: str, folder: Path, deadline_s: float = 90.0) -> Ended:
    """The program with all its children, ended by their group if it is too slow."""
    environment = os.environ | {"HOME": str(folder), "LC_ALL": "C"}
    with subprocess.Popen(
        [program(command[0]), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=deadline_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Ended(process.returncode, output, errors)


def write_files(folder: Path) -> str:
    """What nginx serves; the hash of /big."""
    files = folder / "files"
    files.mkdir()
    (files / "small").write_text(SMALL)
    (files / "page").write_text(PAGE)
    big = os.urandom(BIG_SIZE)
    (files / "big").write_bytes(big)
    return hashlib.sha256(big).hexdigest()


def write_certificates(folder: Path, ca: trustme.CA) -> None:
    ca.cert_pem.write_to_path(folder / "ca.pem")
    for file, host in (("www.pem", HOST), ("api.pem", OTHER_HOST)):
        ca.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(folder / file)


def all_up(director: Director) -> bool:
    servers = [server for pool in director.rows("pools") for server in servers_of(pool)]
    return len(servers) == 3 and all(server["health"] == "up" for server in servers)


def servers_of(pool: Json) -> list[Json]:
    found = pool["servers"]
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("clients")
    ca = trustme.CA()
    big_sha256 = write_files(folder)
    write_certificates(folder, ca)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(trust)
    with ExitStack() as stack:
        files = stack.enter_context(nginx(folder))
        first, second = stack.enter_context(application())
        director = Director(folder)
        rules = RULES.format(files=files, first=first, second=second, folder=folder)
        director.file.write_text(rules)
        stack.callback(director.close)
        director.start()
        until(lambda: all_up(director), "health of all servers")
        ports = dict(zip(("http", "https"), director.ports(), strict=True))
        yield Site(ports, folder / "ca.pem", trust, big_sha256)
        assert len(director.workers()) == 2
        assert not director.events("worker ended"), director.log()


def curl(site: Site, folder: Path, path: str, *options: str) -> Ended:
    """One request in the clear."""
    common = ("--silent", "--show-error", "--noproxy", "*", "--max-time", "60")
    return run("curl", *common, *options, site.url(path), folder=folder)


def curl_tls(site: Site, folder: Path, host: str, path: str, *options: str) -> Ended:
    """One request over TLS; `host` is the name in SNI, in the certificate and in Host."""
    common = ("--silent", "--show-error", "--noproxy", "*", "--max-time", "60")
    trust = (
        "--cacert",
        str(site.ca),
        "--resolve",
        f"{host}:{site.ports['https']}:{ADDRESSES['https']}",
    )
    return run("curl", *common, *trust, *options, site.url(path, "https", host), folder=folder)


def test_curl_get(site: Site, tmp_path: Path) -> None:
    done = curl(site, tmp_path, "/small", "--include")
    head, _, body = done.output.partition("\n\n")
    assert done.status == 0, done.errors
    assert head.startswith("HTTP/1.1 200 OK")
    assert body == SMALL


def test_curl_head(site: Site, tmp_path: Path) -> None:
    done = curl(site, tmp_path, "/big", "--head")
    assert done.status == 0, done.errors
    assert done.output.startswith("HTTP/1.1 200 OK")
    assert f"\ncontent-length: {BIG_SIZE}\n" in done.output.lower()


def test_curl_waits_for_100_continue(site: Site, tmp_path: Path) -> None:
    body = os.urandom(UPLOAD_SIZE)
    (tmp_path / "body").write_bytes(body)
    done = curl(
        site,
        tmp_path,
        "/echo",
        "--verbose",
        *("--header", "Expect: 100-continue", "--expect100-timeout", "60"),
        *("--data-binary", f"@{tmp_path}/body"),
    )
    assert done.status == 0, done.errors
    assert "< HTTP/1.1 100 Continue" in done.errors
    assert "Done waiting for 100-continue" not in done.errors
    told = {"size": UPLOAD_SIZE, "sha256": hashlib.sha256(body).hexdigest(), "chunked": False}
    assert json.loads(done.output) == told


def test_curl_http_1_0(site: Site, tmp_path: Path) -> None:
    written = ("--write-out", "%{http_code} %{size_download}", "--output", "/dev/null")
    for path, size in (("/small", len(SMALL)), ("/big", BIG_SIZE)):
        done = curl(site, tmp_path, path, "--http1.0", *written)
        assert done.status == 0, done.errors
        assert done.output == f"200 {size}"
    assert json.loads(curl(site, tmp_path, "/api?x", "--http1.0").output)["said"].startswith(
        "hello"
    )


def test_curl_uploads_in_chunks(site: Site, tmp_path: Path) -> None:
    body = os.urandom(UPLOAD_SIZE)
    (tmp_path / "body").write_bytes(body)
    done = curl(
        site,
        tmp_path,
        "/echo",
        *("--request", "POST", "--header", "Transfer-Encoding: chunked"),
        *("--upload-file", f"{tmp_path}/body"),
    )
    assert done.status == 0, done.errors
    told = {"size": UPLOAD_SIZE, "sha256": hashlib.sha256(body).hexdigest(), "chunked": True}
    assert json.loads(done.output) == told


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_downloads_a_large_file(site: Site, tmp_path: Path, scheme: str) -> None:
    got = tmp_path / "got"
    if scheme == "http":
        done = curl(site, tmp_path, "/big", "--output", str(got))
    else:
        done = curl_tls(site, tmp_path, HOST, "/big", "--output", str(got))
    assert done.status == 0, done.errors
    assert hashlib.sha256(got.read_bytes()).hexdigest() == site.big_sha256


@pytest.mark.parametrize("host", [HOST, OTHER_HOST])
def test_curl_gets_the_certificate_of_its_name(site: Site, tmp_path: Path, host: str) -> None:
    done = curl_tls(site, tmp_path, host, "/api?curl")
    assert done.status == 0, done.errors
    assert json.loads(done.output) == {"said": "hello curl over https"}


def test_curl_trusts_no_certificate_of_another_name(site: Site, tmp_path: Path) -> None:
    done = curl_tls(site, tmp_path, "elsewhere.example.org", "/small")
    assert done.status == 60, "60: the certificate does not match"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrk(site: Site, tmp_path: Path, scheme: str) -> None:
    """It prints a line about errors only when there were some."""
    load = ("-t", "1", "-c", "8", "-d", "1s", "--timeout", "30s")
    done = run("wrk", *load, site.url("/small", scheme), folder=tmp_path)
    assert done.status == 0, done.errors
    assert "Non-2xx" not in done.output
    assert "Socket errors" not in done.output
    requests = re.search(r"(\d+) requests in", done.output)
    assert requests
    assert int(requests[1]) > 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_h2load_over_http_1_1(site: Site, tmp_path: Path, scheme: str) -> None:
    load = ("--h1", "-n", "600", "-c", "6", "-t", "1", "--connection-inactivity-timeout", "30")
    done = run("h2load", *load, site.url("/small", scheme), folder=tmp_path)
    assert done.status == 0, done.errors
    told = "600 total, 600 started, 600 done, 600 succeeded, 0 failed, 0 errored, 0 timeout"
    assert f"requests: {told}" in done.output
    assert "status codes: 600 2xx" in done.output


def websocket(site: Site, scheme: str) -> connect:
    """In an event loop: the library's other client reads and writes TLS in two threads at once,
    which OpenSSL does not allow."""
    listener = "https" if scheme == "wss" else "http"
    port = site.ports[listener]
    return connect(
        f"{scheme}://{HOST}:{port}/ws",
        sock=socket.create_connection((ADDRESSES[listener], port), DEADLINE_S),
        ssl=site.trust if scheme == "wss" else None,
        subprotocols=["echo.v1"],  # type: ignore[list-item]
        open_timeout=DEADLINE_S,
        close_timeout=DEADLINE_S,
        max_size=WEBSOCKET_LIMIT,
    )


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_websocket_client(site: Site, scheme: str) -> None:
    messages: list[str | bytes] = [
        "hello",
        "",
        b"\x00\xff",
        os.urandom(WEBSOCKET_LIMIT // 2),
        "x" * 100_000,
    ]
    async with asyncio.timeout(DEADLINE_S), websocket(site, scheme) as client:
        assert client.subprotocol == "echo.v1"
        for message in messages:
            await client.send(message)
            assert await client.recv() == message
        await (await client.ping())
        await client.close(1000)
        assert client.close_code == 1000


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_in_chromium(site: Site, tmp_path: Path, scheme: str) -> None:
    """The page fetches, opens a WebSocket and writes down what came."""
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
        " --disable-background-networking --disable-component-update --disable-sync"
        " --disable-dev-shm-usage --no-proxy-server --ignore-certificate-errors"
    )
    done = run(
        "chromium",
        *quiet.split(),
        f"--user-data-dir={tmp_path}/profile",
        f"--host-resolver-rules=MAP {HOST} {ADDRESSES[scheme]}",
        "--dump-dom",
        site.url(f"/page?{scheme}", scheme, HOST),
        folder=tmp_path,
    )
    assert done.status == 0, done.errors
    written = dict(re.findall(r'<p id="(\w+)">(.*?)</p>', done.output))
    assert written == {
        "api": f"hello page over {scheme}",
        "echo": "from the page",
        "end": "closed 1000",
    }, done.errors


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_http_client_keeps_its_connection(site: Site, scheme: str) -> None:
    address = (ADDRESSES[scheme], site.ports[scheme])
    if scheme == "http":
        client = http.client.HTTPConnection(*address, timeout=DEADLINE_S)
    else:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname = False
        trust.load_verify_locations(site.ca)
        client = http.client.HTTPSConnection(*address, timeout=DEADLINE_S, context=trust)
    try:
        client.connect()
        sock = client.sock
        for turn in range(60):
            method, path, body, size = (
                ("GET", "/small", None, len(SMALL)),
                ("HEAD", "/small", None, 0),
                ("POST", "/echo", b"x" * turn, None),
                ("GET", "/nothing", None, None),
            )[turn % 4]
            client.request(method, path, body)
            answer = client.getresponse()
            got = answer.read()
            assert answer.status == (404 if path == "/nothing" else 200)
            assert size is None or len(got) == size
            assert client.sock is sock, "the connection was closed"
            if method == "POST":
                assert json.loads(got)["size"] == turn
    finally:
        client.close()
