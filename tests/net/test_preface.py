import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from l7lb.model import ListenTls
from l7lb.net.certificates import CertificateStore
from l7lb.net.preface import Arrived, Preface, is_trusted
from l7lb.net.stream import Stream
from l7lb.net.tls import TlsStream
from l7lb_protocols.proxy_protocol import build_binary, build_text
from support.tls_peers import Authority, Ends, Recorder, in_thread, within

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
SOURCE, DESTINATION = ("192.0.2.7", 51000), ("198.51.100.1", 443)


@pytest.fixture
async def ends(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ends]:
    made = Ends(Authority(trustme.CA(), tmp_path_factory.mktemp("preface")))
    yield made
    made.close()


class Outcome:
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.arrived: asyncio.Future[Arrived] = loop.create_future()
        self.failed: asyncio.Future[str] = loop.create_future()


def begin(
    ends: Ends, source: str = "127.0.0.1", trust: bool = True, hello: bool = False
) -> tuple[Stream, socket.socket, Outcome]:
    stream, theirs, _ = ends.pair()
    outcome = Outcome()
    stream.handler = Preface(
        stream,
        source,
        LOOPBACK if trust else (),
        hello,
        outcome.arrived.set_result,
        outcome.failed.set_result,
    )
    return stream, theirs, outcome


def hello_bytes(name: str = "shop.example.org") -> bytes:
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("build", [build_text, build_binary])
async def test_header_and_what_follows(ends: Ends, build) -> None:  # type: ignore[no-untyped-def]
    _, theirs, outcome = begin(ends)
    theirs.send(build(SOURCE, DESTINATION) + b"GET / HTTP/1.1\r\n")
    arrived = await within(outcome.arrived)
    assert (arrived.source, arrived.source_port) == SOURCE
    assert arrived.header is not None
    assert arrived.header.destination == DESTINATION
    assert arrived.rest == b"GET / HTTP/1.1\r\n"
    assert arrived.sni == b""


@pytest.mark.parametrize("build", [build_text, build_binary])
async def test_header_byte_by_byte(ends: Ends, build) -> None:  # type: ignore[no-untyped-def]
    _, theirs, outcome = begin(ends)
    for byte in build(SOURCE, DESTINATION):
        assert not outcome.arrived.done()
        theirs.send(bytes([byte]))
        await asyncio.sleep(0)
    arrived = await within(outcome.arrived)
    assert (arrived.source, arrived.rest) == ("192.0.2.7", b"")


@pytest.mark.parametrize("build", [build_text, build_binary])
async def test_proxys_own_connection(ends: Ends, build) -> None:  # type: ignore[no-untyped-def]
    _, theirs, outcome = begin(ends)
    theirs.send(build(None, None))
    arrived = await within(outcome.arrived)
    assert (arrived.source, arrived.source_port) == ("", 0)
    assert arrived.header is not None


async def test_trusted_source_must_send_a_header(ends: Ends) -> None:
    stream, theirs, outcome = begin(ends)
    theirs.send(b"GET / HTTP/1.1\r\n\r\n")
    assert await within(outcome.failed) == "PROXY header: no PROXY header"
    assert not stream.closed


async def test_header_over_its_limit(ends: Ends) -> None:
    _, theirs, outcome = begin(ends)
    theirs.send(b"PROXY TCP4 " + b"1" * 200)
    assert "over 107 bytes" in await within(outcome.failed)


async def test_other_sources_are_not_believed(ends: Ends) -> None:
    """Nothing is awaited and nothing read: the bytes are the protocol's."""
    stream, theirs, outcome = begin(ends, source="203.0.113.9")
    arrived = await within(outcome.arrived)
    assert arrived == Arrived(b"")
    recorder = Recorder()
    stream.handler = recorder
    header = build_text(SOURCE, DESTINATION)
    theirs.send(header)
    assert await recorder.received(len(header)) == header


async def test_other_sources_cannot_send_a_header_before_the_hello(ends: Ends) -> None:
    _, theirs, outcome = begin(ends, source="203.0.113.9", hello=True)
    theirs.send(build_text(SOURCE, DESTINATION) + hello_bytes())
    assert "no TLS handshake record" in await within(outcome.failed)


async def test_closed_before_it_could_tell(ends: Ends) -> None:
    stream, _, outcome = begin(ends, trust=False)
    stream.close()
    _, _, later = begin(ends, trust=False)
    await within(later.arrived)
    assert not outcome.arrived.done()


async def test_hello_is_read_and_kept(ends: Ends) -> None:
    _, theirs, outcome = begin(ends, trust=False, hello=True)
    sent = hello_bytes("Shop.Example.org")
    theirs.send(sent)
    arrived = await within(outcome.arrived)
    assert arrived.sni == b"shop.example.org"
    assert arrived.rest == sent
    assert arrived.hello is not None
    assert arrived.hello.alpn == (b"h2",)


async def test_header_then_hello_in_small_pieces(ends: Ends) -> None:
    _, theirs, outcome = begin(ends, hello=True)
    theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent = hello_bytes()
    for byte in build_binary(SOURCE, DESTINATION) + sent:
        theirs.send(bytes([byte]))
        await asyncio.sleep(0)
    arrived = await within(outcome.arrived)
    assert (arrived.source, arrived.sni) == ("192.0.2.7", b"shop.example.org")
    assert arrived.rest == sent


async def test_no_hello_gets_an_alert(ends: Ends) -> None:
    stream, theirs, outcome = begin(ends, trust=False, hello=True)
    theirs.send(b"GET / HTTP/1.1\r\n\r\n")
    assert await within(outcome.failed) == "ClientHello: no TLS handshake record"
    stream.close()
    assert await in_thread(lambda: theirs.recv(100)) == b"\x15\x03\x01\x00\x02\x02\x0a"


async def test_endless_hello_is_refused(ends: Ends) -> None:
    _, theirs, outcome = begin(ends, trust=False, hello=True)
    theirs.send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff")
    assert "the limit is" in await within(outcome.failed)


@pytest.mark.parametrize(
    ("hello", "sent", "text"),
    [
        (False, b"", "client left before its PROXY header was whole"),
        (False, b"PROXY TCP4 192.0", "client left before its PROXY header was whole"),
        (True, b"PROXY UNKNOWN\r\n\x16\x03", "client left before its ClientHello was whole"),
    ],
)
async def test_client_leaves_early(ends: Ends, hello: bool, sent: bytes, text: str) -> None:
    _, theirs, outcome = begin(ends, hello=hello)
    theirs.send(sent)
    theirs.shutdown(socket.SHUT_WR)
    assert await within(outcome.failed) == text


async def test_reset(ends: Ends) -> None:
    _, theirs, outcome = begin(ends)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    assert "reset" in await within(outcome.failed)


async def test_tells_once(ends: Ends) -> None:
    stream, theirs, outcome = begin(ends)
    theirs.send(b"nonsense")
    await within(outcome.failed)
    theirs.send(b"more nonsense")
    theirs.shutdown(socket.SHUT_WR)
    _marker, marker_theirs, marker_outcome = begin(ends)
    marker_theirs.close()
    await within(marker_outcome.failed)
    stream.ready(1)
    assert not outcome.arrived.done()


async def test_tls_after_the_header(ends: Ends) -> None:
    """The rest, here a ClientHello, goes to the TLS stream."""
    stream, theirs, outcome = begin(ends)
    theirs.send(build_text(SOURCE, DESTINATION))
    handshake = asyncio.create_task(ends.handshake(theirs))
    arrived = await within(outcome.arrived)
    recorder = Recorder()
    store = CertificateStore(ListenTls((ends.authority.issue("example.org"),)))
    tls = TlsStream(stream, recorder, store.wrap, recorder.on_ready, arrived.rest)
    await within(handshake)
    assert (await within(recorder.ready)).sni == b"example.org"
    tls.close()


@pytest.mark.parametrize(
    ("source", "trusted"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("128.0.0.1", False),
        ("fe80::1%lo", False),
    ],
)
def test_trust_goes_by_network(source: str, trusted: bool) -> None:
    assert is_trusted(source, LOOPBACK) is trusted
    assert not is_trusted(source, ())
