from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl

import pytest
import trustme

from l7lb.health.probe import REPLY_BYTES, Target
from l7lb.health.probe_http import HEAD_LIMIT_BYTES, client_context, host_field
from l7lb.model import CheckKind, CheckSpec, ServerTls
from support.probe_targets import Origins, probe_once, server_tls

HTTP = CheckSpec(CheckKind.HTTP)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def http(**more: object) -> CheckSpec:
    return CheckSpec(CheckKind.HTTP, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "ok", "detail"),
    [
        (OK, True, "200 OK"),
        (b"HTTP/1.0 200\r\n\r\n", True, "200 OK"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", True, "302 Found"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, True, "200 OK"),
        (b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n", False, "503 Service Unavailable"),
        (b"HTTP/1.1 503 Gone fishing\r\nContent-Length: 0\r\n\r\n", False, "503 Gone fishing"),
        (b"HTTP/1.1 799 \r\nContent-Length: 0\r\n\r\n", False, "799"),
        (b"", False, "closed without an answer"),
    ],
)
async def test_status_decides(origins: Origins, reply: bytes, ok: bool, detail: str) -> None:
    result = await probe_once(await origins.says(reply), HTTP)
    assert (result.ok, result.detail) == (ok, detail)
    assert result.reply == reply


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT_BYTES,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40,
    ],
)
async def test_what_is_not_http_is_bad(origins: Origins, reply: bytes) -> None:
    result = await probe_once(await origins.says(reply), HTTP)
    assert not result.ok
    assert result.detail
    assert result.reply == reply[:REPLY_BYTES]


async def test_the_good_statuses_are_the_given_ranges(origins: Origins) -> None:
    port = await origins.says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert (await probe_once(port, http(statuses=((200, 204), (404, 404))))).ok
    assert not (await probe_once(port, http(statuses=((200, 403), (405, 599))))).ok


async def test_the_request_is_what_the_check_says(origins: Origins) -> None:
    port = await origins.says(OK)
    await probe_once(port, http(method="HEAD", path="/healthz?full=1", host="www.example.org"))
    await probe_once(port, HTTP)
    first, second = origins.heads
    assert first.startswith(b"HEAD /healthz?full=1 HTTP/1.1\r\n")
    assert b"\r\nHost: www.example.org\r\n" in first
    assert b"\r\nConnection: close\r\n" in first
    assert second.startswith(b"GET / HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in second


@pytest.mark.parametrize(
    ("host", "port", "tls", "expected"),
    [
        ("a.example", 80, None, "a.example"),
        ("a.example", 443, None, "a.example:443"),
        ("a.example", 443, ServerTls(), "a.example"),
        ("::1", 8080, None, "[::1]:8080"),
    ],
)
def test_host_field(host: str, port: int, tls: ServerTls | None, expected: str) -> None:
    assert host_field(Target((socket.AF_INET, ("x", port)), host, http(tls=tls))) == expected


def test_host_field_of_a_local_socket() -> None:
    assert host_field(Target((socket.AF_UNIX, "/run/x"), "unix:/run/x", HTTP)) == "localhost"


BODY = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall i\r\n6\r\ns well\r\n0\r\n\r\n"
)


async def test_the_body_must_match(origins: Origins) -> None:
    port = await origins.says(BODY)
    assert (await probe_once(port, http(body=re.compile(rb"^all is well$")))).ok
    result = await probe_once(port, http(body=re.compile(rb"burning")))
    assert (result.ok, result.detail) == (False, "200 OK, but the body does not match b'burning'")


async def test_only_the_limit_of_the_body_is_looked_at(origins: Origins) -> None:
    port = await origins.says(BODY)
    assert (await probe_once(port, http(body=re.compile(rb"well"), body_limit_bytes=11))).ok
    assert not (await probe_once(port, http(body=re.compile(rb"well"), body_limit_bytes=10))).ok


async def test_an_endless_body_ends_at_the_limit(origins: Origins) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"never enough " * 1000)
                await writer.drain()
        except ConnectionError:
            pass  # the prober has seen enough
        finally:
            writer.close()

    port = await origins.start(handler)
    result = await probe_once(port, http(body=re.compile(b"missing"), body_limit_bytes=100_000))
    assert not result.ok
    assert len(result.reply) == REPLY_BYTES


async def test_a_body_cut_short_is_bad(origins: Origins) -> None:
    port = await origins.says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
    assert not (await probe_once(port, http(body=re.compile(b"hello")))).ok
    assert (await probe_once(port, HTTP)).ok, "no need to see the body when nobody asks for it"


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (b"", "no answer within 0.1 s"),
        (b"HTTP/1.1 200 OK\r\n", "answer not whole within 0.1 s"),
    ],
)
async def test_silence_meets_the_deadline(origins: Origins, reply: bytes, detail: str) -> None:
    port = await origins.says(reply, then_close=False)
    result = await probe_once(port, http(timeout_s=0.1))
    assert (result.ok, result.detail, result.reply) == (False, detail, reply)


async def test_a_refused_connection_is_told(closed_port: int) -> None:
    assert (await probe_once(closed_port, HTTP)).detail == "connection refused"


async def test_a_server_that_ended_its_side_first_is_read(origins: Origins) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.write_eof()
        await reader.read()
        writer.close()

    assert (await probe_once(await origins.start(handler), HTTP)).ok


# --------------------------------------------------------------------------- TLS


async def test_tls_is_verified_by_the_name(
    origins: Origins, authority: trustme.CA, ca_file: str
) -> None:
    port = await origins.says(OK, tls=server_tls(authority, "web.example.org"))
    named = ServerTls(ca=ca_file, server_name="web.example.org")
    assert (await probe_once(port, HTTP, named)).detail == "200 OK"
    assert (await probe_once(port, HTTP, ServerTls(ca=ca_file), host="web.example.org")).ok
    wrong = await probe_once(port, HTTP, ServerTls(ca=ca_file, server_name="other.example.org"))
    assert not wrong.ok
    assert wrong.detail.startswith("certificate not accepted: Hostname mismatch")


async def test_an_address_is_verified_as_an_address(
    origins: Origins, authority: trustme.CA, ca_file: str
) -> None:
    port = await origins.says(OK, tls=server_tls(authority, "127.0.0.1"))
    assert (await probe_once(port, HTTP, ServerTls(ca=ca_file))).ok


async def test_an_unknown_authority_is_bad_unless_verification_is_off(
    origins: Origins, authority: trustme.CA
) -> None:
    port = await origins.says(OK, tls=server_tls(authority, "127.0.0.1"))
    refused = await probe_once(port, HTTP, ServerTls())
    assert not refused.ok
    assert refused.detail.startswith("certificate not accepted:")
    assert (await probe_once(port, HTTP, ServerTls(verify=False))).ok


async def test_plain_http_on_a_tls_check_is_told(origins: Origins) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()

    result = await probe_once(await origins.start(handler), HTTP, ServerTls(verify=False))
    assert not result.ok
    assert result.detail.startswith(("TLS failed", "connection reset"))


async def test_a_silent_handshake_meets_the_deadline(origins: Origins) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = await origins.start(handler)
    result = await probe_once(port, http(timeout_s=0.1), ServerTls(verify=False))
    assert (result.ok, result.detail) == (False, "no answer within 0.1 s")


async def test_a_missing_file_is_a_result(origins: Origins) -> None:
    port = await origins.says(OK)
    result = await probe_once(port, HTTP, ServerTls(ca="/nowhere/ca.pem"))
    assert (result.ok, result.detail) == (False, "no such file or directory")


async def test_our_own_certificate_is_shown(
    origins: Origins, authority: trustme.CA, ca_file: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context = server_tls(authority, "127.0.0.1")
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    port = await origins.says(OK, tls=context)
    own = tmp_path_factory.mktemp("own") / "own.pem"
    authority.issue_cert("prober.example.org").private_key_and_cert_chain_pem.write_to_path(
        str(own)
    )
    assert (await probe_once(port, HTTP, ServerTls(ca=ca_file, certificate=str(own)))).ok
    assert not (await probe_once(port, HTTP, ServerTls(ca=ca_file))).ok


def test_a_context_is_kept_until_its_file_changes(ca_file: str) -> None:
    tls = ServerTls(ca=ca_file)
    first = client_context(tls)
    assert client_context(tls) is first
    os.utime(ca_file, ns=(1, 1))
    assert client_context(tls) is not first
