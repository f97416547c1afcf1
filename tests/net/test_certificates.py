import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from l7lb.model import Certificate, ListenTls, ServerTls
from l7lb.net.certificates import (
    CertificateStore,
    client_context,
    client_wrap,
    reload_client_contexts,
)
from l7lb.net.x509 import first_certificate, read_certificate
from support.tls_peers import Authority, Ends, in_thread, read_exactly, within


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(trustme.CA(), tmp_path)


@pytest.fixture
async def ends(authority: Authority) -> AsyncIterator[Ends]:
    made = Ends(authority)
    yield made
    made.close()
    reload_client_contexts([])


def served(sock: ssl.SSLSocket) -> list[str]:
    certificate = sock.getpeercert()
    assert certificate
    return [value for _, value in certificate["subjectAltName"]]  # type: ignore[misc, index]


# ---------------------------------------------------------------------- by name


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("first.example", "first.example"),
        ("second.example", "second.example"),
        ("SECOND.example", "second.example"),
        ("also.second.example", "second.example"),
        ("shop.wild.example", "*.wild.example"),
        ("exact.wild.example", "exact.wild.example"),
        ("wild.example", "first.example"),
        ("a.b.wild.example", "first.example"),
        ("unknown.example", "first.example"),
        ("localhost", "first.example"),
        (None, "first.example"),
    ],
)
async def test_certificate_goes_by_name(ends: Ends, asked: str | None, expected: str) -> None:
    issue = ends.authority.issue
    store = CertificateStore(
        ListenTls(
            (
                issue("first.example"),
                issue("second.example", "also.second.example"),
                issue("*.wild.example"),
                issue("exact.wild.example"),
                issue("second.example", file="later"),
            )
        )
    )
    context = ends.authority.client()
    context.check_hostname = False
    _, theirs, recorder = ends.server(store)
    sock = await ends.handshake(theirs, context, asked)
    assert served(sock)[0] == expected
    assert (await within(recorder.ready)).sni == (asked or "").lower().encode()


async def test_chosen_certificate_keeps_the_listeners_rules(ends: Ends) -> None:
    """ALPN, versions and the demand for a client certificate hold for every name."""
    issue = ends.authority.issue
    spec = ListenTls(
        (issue("first.example"), issue("second.example")),
        client_ca=ends.authority.file,
        minimum="1.3",
        alpn=("h2", "http/1.1"),
    )
    context = ends.authority.client()
    ends.authority.ca.issue_cert("client@example.org").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    _, theirs, recorder = ends.server(CertificateStore(spec))
    await ends.handshake(theirs, context, "second.example")
    negotiated = await within(recorder.ready)
    assert (negotiated.alpn, negotiated.version) == ("h2", "TLSv1.3")
    assert negotiated.peer_names == (b"client@example.org",)


@pytest.mark.parametrize("name", [b"xx\r\nexample.org", b"xx.example.org.", b"xx.example.o\0g"])
async def test_names_that_are_none(ends: Ends, name: bytes) -> None:
    asked = "x" * (len(name) - 8) + ".example"
    outgoing = ssl.MemoryBIO()
    context = ends.authority.client()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=asked)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    _, theirs, recorder = ends.server()
    theirs.sendall(outgoing.read().replace(asked.encode(), name))
    assert "TLS handshake: " in str(await within(recorder.lost))
    assert (await in_thread(lambda: theirs.recv(100)))[:1] == b"\x15"


async def test_ciphers(ends: Ends) -> None:
    certificate = ends.authority.issue("example.org")
    store = CertificateStore(ListenTls((certificate,), ciphers="ECDHE+CHACHA20"))
    client = ends.authority.client(maximum_version=ssl.TLSVersion.TLSv1_2)
    _, _sock, recorder = await ends.open_server(store, client)
    assert "CHACHA20" in recorder.ready.result().cipher


async def test_session_is_resumed_by_ticket(ends: Ends) -> None:
    store = CertificateStore(ListenTls((ends.authority.issue("example.org"),)))
    context = ends.authority.client()
    stream, sock, _ = await ends.open_server(store, context)
    stream.write(b"x")
    await in_thread(lambda: sock.recv(1))
    session = sock.session
    _, theirs, recorder = ends.server(store)
    again = await in_thread(
        lambda: context.wrap_socket(theirs, server_hostname="example.org", session=session)
    )
    await within(recorder.ready)
    assert again.session_reused
    again.close()


# ---------------------------------------------------------------------- clients' certificates


def client_with(authority: Authority, ca: trustme.CA, *names: str, **kind: str) -> ssl.SSLContext:
    context = authority.client()
    ca.issue_cert(*names, **kind).configure_cert(context)  # type: ignore[arg-type]
    return context


def asking(authority: Authority, required: bool) -> CertificateStore:
    return CertificateStore(
        ListenTls(
            (authority.issue("example.org"),),
            client_ca=authority.file,
            client_required=required,
        )
    )


@pytest.mark.parametrize("required", [True, False])
async def test_verified_names(ends: Ends, required: bool) -> None:
    names = ("shop.example.org", "bill@example.org")
    client = client_with(ends.authority, ends.authority.ca, *names, common_name="Bill the Cat")
    _, _, recorder = await ends.open_server(asking(ends.authority, required), client)
    assert recorder.ready.result().peer_names == (
        b"Bill the Cat",
        b"shop.example.org",
        b"bill@example.org",
    )


@pytest.mark.parametrize("name", ["evil\r\nX-Admin: yes", "nul\0byte", "bell\a"])
async def test_names_that_would_break_a_header_are_left_out(ends: Ends, name: str) -> None:
    client = client_with(ends.authority, ends.authority.ca, "a@example.org", common_name=name)
    _, _, recorder = await ends.open_server(asking(ends.authority, True), client)
    assert recorder.ready.result().peer_names == (b"a@example.org",)


async def test_no_certificate_where_one_is_required(ends: Ends) -> None:
    _, theirs, recorder = ends.server(asking(ends.authority, True))
    sock = await ends.handshake(theirs)  # TLS 1.3: the client is told after its handshake
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate required"):
        await in_thread(lambda: sock.recv(1))
    error = await within(recorder.lost)
    assert str(error) == "TLS handshake: peer did not return a certificate"


async def test_no_certificate_where_one_is_welcome(ends: Ends) -> None:
    _, _, recorder = await ends.open_server(asking(ends.authority, False))
    assert recorder.ready.result().peer_names == ()


@pytest.mark.parametrize("required", [True, False])
async def test_certificate_of_a_strange_authority(ends: Ends, required: bool) -> None:
    _, theirs, recorder = ends.server(asking(ends.authority, required))
    sock = await ends.handshake(theirs, client_with(ends.authority, trustme.CA(), "x@example.org"))
    with pytest.raises(ssl.SSLError, match=r"(?i)unknown ca"):
        await in_thread(lambda: sock.recv(1))
    error = await within(recorder.lost)
    assert "certificate not accepted: unable to get local issuer" in str(error)


# ---------------------------------------------------------------------- reload


async def test_reload_takes_the_new_and_leaves_open_connections(ends: Ends) -> None:
    certificate = ends.authority.issue("example.org")
    store = CertificateStore(ListenTls((certificate,)))
    stream, sock, recorder = await ends.open_server(store)
    _started, theirs_started, _recorder_started = ends.server(store)
    ends.authority.issue("example.org", "new.example.org", file="example.org")
    store.reload()
    assert store.certificates[0].facts.names == ("example.org", "new.example.org")
    _, fresh, _ = await ends.open_server(store)
    assert served(fresh) == ["example.org", "new.example.org"]
    assert served(await ends.handshake(theirs_started)) == ["example.org"]
    sock.send(b"still here")
    assert await recorder.received(10) == b"still here"
    stream.write(b"so am I")
    assert await in_thread(lambda: read_exactly(sock, 7)) == b"so am I"


async def test_reload_is_all_or_nothing(ends: Ends) -> None:
    one, two = ends.authority.issue("one.example"), ends.authority.issue("two.example")
    store = CertificateStore(ListenTls((one, two)))
    ends.authority.issue("one.example", "extra.example", file="one.example")
    ends.authority.spoil("two.example.pem")
    before = store.certificates
    with pytest.raises(ValueError, match=r"two\.example\.pem: "):
        store.reload()
    assert store.certificates == before
    _, theirs, _ = ends.server(store)
    assert served(await ends.handshake(theirs, name="two.example")) == ["two.example"]


# ---------------------------------------------------------------------- wrong files


def without_key(authority: Authority) -> Certificate:
    path = authority.folder / "nokey.pem"
    path.write_bytes(authority.ca.issue_cert("a.example").cert_chain_pems[0].bytes())
    return Certificate(str(path))


def wrong_key(authority: Authority) -> Certificate:
    chain = without_key(authority).chain
    key = authority.folder / "other.key"
    key.write_bytes(authority.ca.issue_cert("b.example").private_key_pem.bytes())
    return Certificate(chain, str(key))


def empty(authority: Authority) -> Certificate:
    path = authority.folder / "empty.pem"
    path.write_text("")
    return Certificate(str(path))


def encrypted(authority: Authority) -> Certificate:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    issued = authority.ca.issue_cert("a.example")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    path = authority.folder / "locked.pem"
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    path.write_bytes(locked + issued.cert_chain_pems[0].bytes())
    return Certificate(str(path))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda a: Certificate("/nonexistent/x.pem"), "/nonexistent/x.pem: No such file"),
        (without_key, "nokey.pem: no usable private key in it"),
        (wrong_key, "nokey.pem, .*other.key: the key is not that of the certificate"),
        (empty, "empty.pem: no certificate in it"),
        (encrypted, "locked.pem: the key is encrypted"),
    ],
)
def test_unusable_certificates(authority: Authority, make, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=text):
        CertificateStore(ListenTls((make(authority),)))


def test_unusable_trust(authority: Authority) -> None:
    certificate = authority.issue("a.example")
    with pytest.raises(ValueError, match=r"/nonexistent/ca\.pem: No such file"):
        CertificateStore(ListenTls((certificate,), client_ca="/nonexistent/ca.pem"))
    with pytest.raises(ValueError, match=r"empty\.pem: no CA certificates in it"):
        client_context(ServerTls(ca=empty(authority).chain))
    with pytest.raises(ValueError, match="no such TLS ciphers: NONSENSE"):
        CertificateStore(ListenTls((certificate,), ciphers="NONSENSE"))
    with pytest.raises(ValueError, match="no certificate given"):
        CertificateStore(ListenTls(()))


# ---------------------------------------------------------------------- what is in them


@pytest.mark.parametrize(
    ("names", "kind", "expected"),
    [
        (("Example.ORG",), {}, ("example.org",)),
        (("a.example", "*.b.example", "192.0.2.1", "2001:db8::1"), {}, None),
        (("a@b.example",), {"common_name": "Only.Common"}, ("only.common",)),
        (("a.example",), {"common_name": "other.example"}, ("a.example",)),
        (("münchen.example",), {}, ("xn--mnchen-3ya.example",)),
        (("a.example",), {"key_type": trustme.KeyType.RSA}, ("a.example",)),
    ],
)
def test_names_in_certificates(names, kind, expected) -> None:  # type: ignore[no-untyped-def]
    pem = trustme.CA().issue_cert(*names, **kind).cert_chain_pems[0].bytes()
    facts = read_certificate(first_certificate(pem.decode()))
    assert facts.names == (names if expected is None else expected)
    oracle = x509.load_pem_x509_certificate(pem)
    assert facts.not_after == oracle.not_valid_after_utc.timestamp()
    assert facts.not_before == oracle.not_valid_before_utc.timestamp()


def test_dates_beyond_2049() -> None:
    after = dt.datetime(2051, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    pem = trustme.CA().issue_cert("a.example", not_after=after).cert_chain_pems[0].bytes()
    assert read_certificate(first_certificate(pem.decode())).not_after == after.timestamp()


def test_every_cut_of_a_certificate_is_refused() -> None:
    pem = trustme.CA().issue_cert("a.example").cert_chain_pems[0].bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    for end in range(len(der)):
        with pytest.raises(ValueError, match=r"."):
            read_certificate(der[:end])
    with pytest.raises(ValueError, match="no certificate in it"):
        first_certificate("-----BEGIN NONSENSE-----")


# ---------------------------------------------------------------------- towards servers


async def towards(ends: Ends, spec: ServerTls, host: str, certificate: Certificate | None = None):  # type: ignore[no-untyped-def]
    """We are the client; a stdlib server answers in a thread."""
    from l7lb.net.tls import TlsStream

    plain, theirs, recorder = ends.pair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = certificate or ends.authority.issue("server.example")
    context.load_cert_chain(certificate.chain)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if spec.certificate:
        ends.authority.ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    stream = TlsStream(plain, recorder, client_wrap(spec, host), recorder.on_ready)
    ends.later(stream.close)

    def serve() -> ssl.SSLSocket | ssl.SSLError:
        try:
            return context.wrap_socket(theirs, server_side=True)
        except ssl.SSLError as error:
            return error

    server = await in_thread(serve)
    if isinstance(server, ssl.SSLSocket):
        ends.later(server.close)
    return stream, server, recorder


async def test_server_is_verified(ends: Ends) -> None:
    spec = ServerTls(ca=ends.authority.file)
    stream, server, recorder = await towards(ends, spec, "server.example")
    negotiated = await within(recorder.ready)
    assert (negotiated.alpn, negotiated.peer_names) == ("http/1.1", ())
    stream.write(b"ask")
    assert await in_thread(lambda: server.recv(3)) == b"ask"
    server.send(b"answer")
    assert await recorder.received(6) == b"answer"


async def test_other_name_to_verify(ends: Ends) -> None:
    spec = ServerTls(ca=ends.authority.file, server_name="server.example")
    _, _, recorder = await towards(ends, spec, "10.1.2.3")
    await within(recorder.ready)


async def test_address_to_verify(ends: Ends) -> None:
    certificate = ends.authority.issue("192.0.2.1")
    spec = ServerTls(ca=ends.authority.file)
    _, _, recorder = await towards(ends, spec, "192.0.2.1", certificate)
    await within(recorder.ready)


async def test_we_show_our_certificate(ends: Ends) -> None:
    ours = ends.authority.issue("director@example.org")
    spec = ServerTls(ca=ends.authority.file, certificate=ours.chain)
    _, server, recorder = await towards(ends, spec, "server.example")
    await within(recorder.ready)
    assert served(server) == ["director@example.org"]


@pytest.mark.parametrize(
    ("host", "names", "text"),
    [
        ("wrong.example", {}, "Hostname mismatch, certificate is not valid for 'wrong.example'"),
        ("10.1.2.3", {}, "IP address mismatch, certificate is not valid for '10.1.2.3'"),
        (
            "server.example",
            {"not_after": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
            "certificate has expired",
        ),
    ],
)
async def test_servers_that_are_refused(ends: Ends, host: str, names, text: str) -> None:  # type: ignore[no-untyped-def]
    certificate = ends.authority.issue("server.example", **names)
    _, _server, recorder = await towards(ends, ServerTls(ca=ends.authority.file), host, certificate)
    error = await within(recorder.lost)
    assert str(error) == f"TLS handshake: certificate not accepted: {text}"
    assert recorder.calls == ["lost"]


async def test_server_of_a_strange_authority(ends: Ends) -> None:
    strange = Authority(trustme.CA(), ends.authority.folder / "strange")
    strange.folder.mkdir()
    _, server, recorder = await towards(ends, ServerTls(ca=strange.file), "server.example")
    assert "unable to get local issuer certificate" in str(await within(recorder.lost))
    assert "ALERT_UNKNOWN_CA" in server.reason


async def test_system_authorities_do_not_know_it(ends: Ends) -> None:
    _, _, recorder = await towards(ends, ServerTls(), "server.example")
    assert "certificate not accepted" in str(await within(recorder.lost))


async def test_verification_off(ends: Ends) -> None:
    _, _, recorder = await towards(ends, ServerTls(verify=False), "whatever")
    await within(recorder.ready)


async def test_ragged_end_of_a_server_is_a_loss(ends: Ends) -> None:
    stream, server, recorder = await towards(
        ends, ServerTls(ca=ends.authority.file), "server.example"
    )
    await within(recorder.ready)
    server.send(b"half an ans")
    await recorder.received(11)
    server.close()
    assert "cut short" in str(await within(recorder.lost))
    assert stream.ragged_eof
    assert "eof" not in recorder.calls


async def test_clean_end_of_a_server(ends: Ends) -> None:
    stream, server, recorder = await towards(
        ends, ServerTls(ca=ends.authority.file), "server.example"
    )
    await within(recorder.ready)
    server.send(b"answer")
    stream.write_eof()
    await in_thread(server.unwrap)
    await within(recorder.eof.wait())
    assert not stream.ragged_eof
    assert bytes(recorder.data) == b"answer"


async def test_tickets_do_not_make_an_idle_connection_suspect(ends: Ends) -> None:
    stream, server, recorder = await towards(
        ends, ServerTls(ca=ends.authority.file), "server.example"
    )
    await within(recorder.ready)
    assert stream.is_quiet()
    server.send(b"unasked")
    await recorder.received(7)
    assert stream.is_quiet()
    stream.pause(1)
    server.send(b"more")
    await in_thread(lambda: wait_readable(stream))
    assert not stream.is_quiet()


def wait_readable(stream) -> None:  # type: ignore[no-untyped-def]
    import select

    select.select([stream.fd], [], [], 10)


def test_contexts_are_shared_and_read_again(authority: Authority) -> None:
    spec = ServerTls(ca=authority.file)
    one = client_context(spec)
    assert client_context(ServerTls(ca=authority.file, server_name="x")) is one
    reload_client_contexts([spec])
    two = client_context(spec)
    assert two is not one
    authority.spoil("ca.pem")
    with pytest.raises(ValueError, match=r"ca\.pem: no CA"):
        reload_client_contexts([spec])
    assert client_context(spec) is two
    reload_client_contexts([])
    with pytest.raises(ValueError, match=r"ca\.pem: no CA"):
        client_context(spec)
