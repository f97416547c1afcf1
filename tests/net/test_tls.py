import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from l7lb.model import ListenTls
from l7lb.net.certificates import CertificateStore
from l7lb.net.stream import HOLD
from l7lb.net.tls import Negotiated, TlsError, TlsStream
from support.tls_peers import Authority, Ends, Recorder, in_thread, read_all, read_exactly, within

TLS_1_2 = ssl.TLSVersion.TLSv1_2
TLS_1_3 = ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(trustme.CA(), tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def ends(authority: Authority) -> AsyncIterator[Ends]:
    made = Ends(authority)
    yield made
    made.close()


def only(version: ssl.TLSVersion, authority: Authority) -> ssl.SSLContext:
    return authority.client(minimum_version=version, maximum_version=version)


@pytest.mark.parametrize(("version", "name"), [(TLS_1_2, "TLSv1.2"), (TLS_1_3, "TLSv1.3")])
async def test_bytes_go_both_ways(ends: Ends, version: ssl.TLSVersion, name: str) -> None:
    stream, sock, recorder = await ends.open_server(client=only(version, ends.authority))
    negotiated = recorder.ready.result()
    assert (negotiated.version, negotiated.sni) == (name, b"example.org")
    assert negotiated.cipher == sock.cipher()[0]
    sock.sendall(b"ping")
    assert await recorder.received(4) == b"ping"
    stream.write(b"pong")
    assert await in_thread(lambda: sock.recv(100)) == b"pong"
    assert not stream.can_splice
    assert stream.queued == 0


async def test_alpn_is_told(ends: Ends) -> None:
    context = ends.authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, sock, recorder = await ends.open_server(client=context)
    assert recorder.ready.result().alpn == sock.selected_alpn_protocol() == "http/1.1"


async def test_no_alpn_and_no_name(ends: Ends) -> None:
    context = ends.authority.client()
    context.check_hostname = False
    _, theirs, recorder = ends.server()
    await ends.handshake(theirs, context, name=None)
    negotiated = await within(recorder.ready)
    assert (negotiated.alpn, negotiated.sni, negotiated.peer_names) == ("", b"", ())


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
async def test_a_mebibyte_each_way_with_small_reads(ends: Ends, version: ssl.TLSVersion) -> None:
    stream, sock, recorder = await ends.open_server(client=only(version, ends.authority))
    up, down = os.urandom(1 << 20), os.urandom(1 << 20)

    def talk() -> bytes:
        for start in range(0, len(up), 3000):
            sock.send(up[start : start + 3000])
        return read_exactly(sock, len(down), at_most=777)

    stream.write(down)
    assert stream.queued > 0
    assert await in_thread(talk) == down
    assert await recorder.received(len(up)) == up
    await within(recorder.drained.wait())
    assert stream.queued == 0


async def test_a_peer_that_dribbles_ciphertext(ends: Ends) -> None:
    """Records cut at every byte, several in one segment, and the handshake byte by byte too."""
    _stream, theirs, recorder = ends.server()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = ends.authority.client().wrap_bio(incoming, outgoing, server_hostname="example.org")

    async def push() -> None:
        for byte in outgoing.read():
            theirs.send(bytes([byte]))
            await asyncio.sleep(0)

    while True:
        try:
            peer.do_handshake()
            break
        except ssl.SSLWantReadError:
            await push()
            incoming.write(await in_thread(lambda: theirs.recv(100)))
    await push()
    await within(recorder.ready)
    peer.write(b"one,")
    peer.write(b"two,")
    await push()
    assert await recorder.received(8) == b"one,two,"
    recorder.data.clear()
    peer.write(b"three,")
    peer.write(b"four,")
    sealed = outgoing.read()
    theirs.send(sealed[:-1])
    await recorder.received(6)
    theirs.send(sealed[-1:])
    assert await recorder.received(11) == b"three,four,"


async def test_many_records_come_in_one_call(ends: Ends) -> None:
    stream, sock, recorder = await ends.open_server()
    stream.pause(HOLD)
    for number in range(50):
        sock.send(b"%02d" % number)
    recorder.calls.clear()
    stream.resume(HOLD)
    assert await recorder.received(100) == b"".join(b"%02d" % n for n in range(50))
    assert recorder.calls.count("data") < 50


async def test_paused_streams_deliver_nothing(ends: Ends) -> None:
    stream, sock, recorder = await ends.open_server()
    recorder.on_data = lambda stream, data: stream.pause(HOLD)
    sock.send(b"a")
    await recorder.received(1)
    sock.send(b"b")
    _other, other_sock, other_recorder = await ends.open_server()
    other_sock.send(b"x")
    await other_recorder.received(1)
    assert bytes(recorder.data) == b"a"
    assert stream.is_paused
    stream.resume(HOLD)
    assert await recorder.received(2) == b"ab"


async def test_pausing_in_on_ready_keeps_what_came_along(ends: Ends) -> None:
    """The client's Finished and its first request come in one segment."""
    plain, theirs, recorder = ends.pair()
    store = CertificateStore(ListenTls((ends.authority.issue("example.org"),)))

    def on_ready(tls: TlsStream, negotiated: Negotiated) -> None:
        tls.pause(HOLD)
        recorder.on_ready(tls, negotiated)

    stream = TlsStream(plain, recorder, store.wrap, on_ready)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = ends.authority.client().wrap_bio(incoming, outgoing, server_hostname="example.org")
    with pytest.raises(ssl.SSLWantReadError):
        peer.do_handshake()
    theirs.sendall(outgoing.read())
    while True:
        incoming.write(await in_thread(lambda: theirs.recv(65536)))
        try:
            peer.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
    peer.write(b"early request")
    theirs.sendall(outgoing.read())
    await within(recorder.ready)
    assert bytes(recorder.data) == b""
    stream.resume(HOLD)
    assert await recorder.received(13) == b"early request"
    stream.close()


async def test_bytes_read_before_tls_began(ends: Ends) -> None:
    plain, theirs, recorder = ends.pair()
    context = ends.authority.client()
    handshake = asyncio.create_task(ends.handshake(theirs, context))
    await recorder.received(1)
    store = CertificateStore(ListenTls((ends.authority.issue("example.org"),)))
    stream = TlsStream(plain, recorder, store.wrap, recorder.on_ready, bytes(recorder.data))
    sock = await within(handshake)
    await within(recorder.ready)
    recorder.data.clear()
    sock.send(b"x")
    assert await recorder.received(1) == b"x"
    assert plain.closed
    stream.close()


async def test_writes_before_the_handshake_are_kept(ends: Ends) -> None:
    stream, theirs, recorder = ends.server()
    stream.write(b"220 hello\r\n")
    stream.write(b"more")
    stream.write_eof()
    assert stream.queued == 15
    sock = await ends.handshake(theirs)
    assert await in_thread(lambda: read_all(sock)) == b"220 hello\r\nmore"
    await within(recorder.drained.wait())
    assert stream.queued == 0


# ---------------------------------------------------------------------- the end


async def test_close_notify_is_eof_and_writing_goes_on(ends: Ends) -> None:
    stream, sock, recorder = await ends.open_server()
    sock.send(b"last")

    def leave() -> bytes:
        raw = sock.unwrap()
        return raw.recv(100)

    leaving = asyncio.create_task(in_thread(leave))
    await within(recorder.eof.wait())
    assert bytes(recorder.data) == b"last"
    assert stream.at_eof
    assert not stream.ragged_eof
    stream.write_eof()
    assert await within(leaving) == b""
    assert not stream.closed


async def test_ragged_end_of_a_client_is_eof(ends: Ends) -> None:
    stream, sock, recorder = await ends.open_server()
    stream.write(b"x")
    await in_thread(lambda: sock.recv(1))  # with tickets unread, the kernel would send a reset
    sock.close()
    await within(recorder.eof.wait())
    assert stream.ragged_eof
    assert "lost" not in recorder.calls


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
async def test_our_eof_lets_the_peer_go_on(ends: Ends, version: ssl.TLSVersion) -> None:
    stream, sock, recorder = await ends.open_server(client=only(version, ends.authority))
    stream.write(b"all")
    stream.write_eof()
    stream.write(b"dropped")
    assert await in_thread(lambda: read_all(sock)) == b"all"
    sock.send(b"still here")
    assert await recorder.received(10) == b"still here"


async def test_eof_follows_what_is_queued(ends: Ends) -> None:
    stream, sock, _recorder = await ends.open_server()
    data = os.urandom(4 << 20)
    stream.write(data)
    stream.write_eof()
    assert stream.queued > 0
    assert await in_thread(lambda: read_all(sock)) == data


async def test_lost_connection(ends: Ends) -> None:
    stream, sock, recorder = await ends.open_server()
    sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0: reset
    sock.close()
    assert isinstance(await within(recorder.lost), ConnectionResetError)
    assert stream.closed
    stream.write(b"x")
    stream.write_eof()
    assert recorder.calls[-1] == "lost"


async def test_garbage_after_the_handshake(ends: Ends) -> None:
    _stream, sock, recorder = await ends.open_server()
    os.write(sock.fileno(), b"GET / HTTP/1.1\r\n\r\n")
    assert str(await within(recorder.lost)) == "TLS: bytes that are no record"


async def test_forged_record(ends: Ends) -> None:
    _stream, sock, recorder = await ends.open_server()
    sock.send(b"good")
    await recorder.received(4)
    os.write(sock.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))
    error = await within(recorder.lost)
    assert isinstance(error, TlsError)
    assert "bad record mac" in str(error)
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        await in_thread(lambda: read_all(sock))


# ---------------------------------------------------------------------- failed handshakes


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http request"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "TLS handshake: "),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" + bytes(50), "TLS handshake: "),
        (b"\x15\x03\x01\x00\x02\x02\x28", "unexpected message"),
    ],
)
async def test_garbage_instead_of_tls(ends: Ends, sent: bytes, text: str) -> None:
    stream, theirs, recorder = ends.server()
    theirs.send(sent)
    error = await within(recorder.lost)
    assert isinstance(error, TlsError)
    assert text in str(error)
    assert "_ssl.c" not in str(error)
    assert recorder.calls == ["lost"]
    assert stream.closed


async def test_garbage_read_before_tls_began_is_told_later(ends: Ends) -> None:
    _stream, _, recorder = ends.server(initial=b"GET / HTTP/1.1\r\n\r\n")
    assert recorder.calls == []
    assert "http request" in str(await within(recorder.lost))


async def test_peer_leaves_during_the_handshake(ends: Ends) -> None:
    stream, theirs, recorder = ends.server()
    theirs.send(b"\x16\x03\x01\x02")
    theirs.close()
    assert "closed the connection" in str(await within(recorder.lost))
    assert stream.ragged_eof


async def test_peer_stops_in_the_middle_of_a_handshake(ends: Ends) -> None:
    """The owner's deadline closes it, and nothing is told any more."""
    stream, theirs, recorder = ends.server()
    theirs.send(b"\x16\x03\x01\x02")
    _other, _sock, _ = await ends.open_server()
    stream.close()
    assert await in_thread(lambda: theirs.recv(10)) == b""
    assert recorder.calls == []


async def test_old_version_is_refused(ends: Ends) -> None:
    store = CertificateStore(ListenTls((ends.authority.issue("example.org"),), minimum="1.3"))
    _stream, theirs, recorder = ends.server(store)
    with pytest.raises(ssl.SSLError, match=r"(?i)version"):
        await ends.handshake(theirs, only(TLS_1_2, ends.authority))
    assert "unsupported protocol" in str(await within(recorder.lost))


async def test_client_that_does_not_trust_us(ends: Ends) -> None:
    _stream, theirs, recorder = ends.server()
    with pytest.raises(ssl.SSLCertVerificationError):
        await ends.handshake(theirs, ssl.create_default_context())
    assert str(await within(recorder.lost)) == "TLS handshake: the peer's alert: unknown ca"


# ---------------------------------------------------------------------- openssl as the peer


class Client:
    """`openssl s_client`, with a relay before it that can stop taking what we send."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.takes = asyncio.Event()
        self.takes.set()

    async def start(self, *options: str) -> tuple[TlsStream, Recorder]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            port = listener.getsockname()[1]
            self.process = await asyncio.create_subprocess_exec(
                *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile"),
                *(self.ends.authority.file, "-servername", "example.org", *options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            self.sock, _ = await within(asyncio.get_running_loop().sock_accept(listener))
        stream, self.theirs, recorder = self.ends.server()
        for sock in (self.sock, self.theirs):
            sock.setblocking(False)
        self.tasks = [
            asyncio.create_task(self._relay(self.sock, self.theirs)),
            asyncio.create_task(self._relay(self.theirs, self.sock)),
        ]
        await within(recorder.ready)
        recorder.on_data = lambda stream, data: stream.write(data.upper())
        return stream, recorder

    async def _relay(self, source: socket.socket, target: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, 4096):
            if source is self.theirs:
                await self.takes.wait()
            await loop.sock_sendall(target, data)
        target.shutdown(socket.SHUT_WR)

    def say(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")

    async def hears(self, line: bytes) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while await self.process.stdout.readline() != line + b"\n":
                assert not self.process.stdout.at_eof()

    async def end(self) -> bytes:
        output, _ = await within(self.process.communicate())
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.sock.close()
        return output


async def test_key_updates(ends: Ends) -> None:
    """`K`: both sides change their keys (RFC 8446 §4.6.3)."""
    client = Client(ends)
    _, recorder = await client.start("-tls1_3")
    for word in (b"one", b"two", b"three"):
        client.say(b"K")
        await client.hears(b"KEYUPDATE")
        client.say(word)
        await client.hears(word.upper())
    client.say(b"Q")
    await client.end()
    assert bytes(recorder.data) == b"one\ntwo\nthree\n"


async def test_renegotiation_is_refused(ends: Ends) -> None:
    client = Client(ends)
    _, recorder = await client.start("-tls1_2")
    client.say(b"R")
    assert b"no renegotiation" in await client.end()
    assert bytes(recorder.data) == b""


async def test_peer_that_does_not_take_our_alerts(ends: Ends) -> None:
    """What waits for it is bounded: it is read no more, until it takes what there is."""
    client = Client(ends)
    stream, _ = await client.start("-tls1_2")
    client.say(b"open")
    await client.hears(b"OPEN")
    client.takes.clear()
    stream.write(b"a line that waits\n" * 100_000)
    assert stream.queued > 0
    assert not stream.is_paused
    client.say(b"R")
    async with asyncio.timeout(20):
        while not stream.is_paused:
            await asyncio.sleep(0.01)
        client.takes.set()
        while stream.is_paused:
            await asyncio.sleep(0.01)
    await client.end()
