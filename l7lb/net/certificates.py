"""Our certificates, chosen by the name that a client asks for, and trust in servers.

Owns the `ssl.SSLContext` objects. Knows no socket; `net.tls` asks for one TLS state at a time.
"""

from __future__ import annotations

import dataclasses
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from l7lb.model import Certificate, ListenTls, ServerTls
from l7lb.net.tls import ServerObject, Wrap
from l7lb.net.x509 import CertificateFacts, first_certificate, read_certificate

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
NAME = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_.-]{0,252}[0-9A-Za-z_])?")
"""What a client may ask for (RFC 6066 §3): a DNS name in ASCII without a final dot."""
TICKETS = 2
"""TLS 1.3 session tickets after a handshake."""


class LoadedCertificate(NamedTuple):
    file: str
    facts: CertificateFacts


class CertificateStore:
    """The certificates of one listener; the first is for clients that ask for none of the names.

    A name in several certificates goes to the first of them. Raises ValueError, which names the
    file, when one cannot be used.
    """

    def __init__(self, spec: ListenTls) -> None:
        self.spec = spec
        self._chosen = _load(spec)

    def reload(self) -> None:
        """Read all files again; later handshakes use them, open connections stay as they are.
        Raises ValueError and changes nothing when one file is not good."""
        self._chosen = _load(self.spec)

    @property
    def certificates(self) -> tuple[LoadedCertificate, ...]:
        """In the order of the rules file, for status and metrics."""
        return self._chosen.certificates

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """TLS state of one accepted connection (`tls.Wrap`)."""
        return self._chosen.default.wrap_bio(incoming, outgoing, server_side=True)


class _Chosen(NamedTuple):
    default: ssl.SSLContext
    certificates: tuple[LoadedCertificate, ...]


def _load(spec: ListenTls) -> _Chosen:
    by_name: dict[str, ssl.SSLContext] = {}
    contexts = []
    certificates = []
    for certificate in spec.certificates:
        loaded = _read_facts(certificate)
        context = _server_context(spec, certificate)
        for name in loaded.facts.names:
            by_name.setdefault(name, context)
        contexts.append(context)
        certificates.append(loaded)
    if not contexts:
        raise ValueError("no certificate given")
    contexts[0].sni_callback = _choice(by_name, contexts[0])
    return _Chosen(contexts[0], tuple(certificates))


def _choice(
    by_name: Mapping[str, ssl.SSLContext], default: ssl.SSLContext
) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]:
    def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        if not NAME.fullmatch(name):
            return ssl.ALERT_DESCRIPTION_ILLEGAL_PARAMETER
        name = name.lower()
        cast("ServerObject", tls).sni = name.encode()
        found = find(by_name, name)
        if found is not None and found is not default:
            tls.context = found
        return None

    return choose


def find(by_name: Mapping[str, ssl.SSLContext], name: str) -> ssl.SSLContext | None:
    """Exact name first; `*` stands for the whole leftmost label (RFC 9525 §6.3)."""
    found = by_name.get(name)
    if found is None:
        _, dot, parent = name.partition(".")
        found = by_name.get(f"*.{parent}") if dot else None
    return found


def _server_context(spec: ListenTls, certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = ServerObject
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = VERSIONS[spec.minimum]
    context.num_tickets = TICKETS
    if spec.alpn:
        context.set_alpn_protocols(list(spec.alpn))
    if spec.ciphers:
        _set_ciphers(context, spec.ciphers)
    _load_own(context, certificate.chain, certificate.key)
    if spec.client_ca is not None:
        _load_trust(context, spec.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if spec.client_required else ssl.CERT_OPTIONAL
    return context


def _set_ciphers(context: ssl.SSLContext, ciphers: str) -> None:
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise ValueError(f"no such TLS ciphers: {ciphers}") from error


def _load_own(context: ssl.SSLContext, chain: str, key: str | None) -> None:
    try:
        context.load_cert_chain(chain, key, password=_no_password)
    except ssl.SSLError as error:
        raise ValueError(f"{_files(chain, key)}: {_why(error)}") from error
    except OSError as error:
        raise ValueError(f"{_files(chain, key)}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{_files(chain, key)}: {error}") from error


def _no_password() -> str:
    """OpenSSL would ask on the terminal otherwise."""
    raise ValueError("the key is encrypted")


def _files(chain: str, key: str | None) -> str:
    return f"{chain}, {key}" if key else chain


def _why(error: ssl.SSLError) -> str:
    if not error.reason:
        return "no usable private key in it"
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return error.reason.lower().replace("_", " ")


def _load_trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise ValueError(f"{ca}: no CA certificates in it") from error
    except OSError as error:
        raise ValueError(f"{ca}: {error.strerror}") from error


def _read_facts(certificate: Certificate) -> LoadedCertificate:
    path = Path(certificate.chain)
    try:
        facts = read_certificate(first_certificate(path.read_text(errors="replace")))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return LoadedCertificate(certificate.chain, facts)


# ---------------------------------------------------------------------- towards servers


_contexts: dict[ServerTls, ssl.SSLContext] = {}
"""One for each way to trust, since a context holds every CA. Keys are without `server_name`."""


def client_wrap(spec: ServerTls, host: str) -> Wrap:
    """For connections to `host`: verifies that name, or `spec.server_name` when given.
    Raises ValueError as `client_context` does."""
    context = client_context(spec)
    name = spec.server_name or host

    def wrap(incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        return context.wrap_bio(incoming, outgoing, server_hostname=name)

    return wrap


def client_context(spec: ServerTls) -> ssl.SSLContext:
    """Made once and kept. Raises ValueError, which names the file, when one cannot be used."""
    key = _key(spec)
    context = _contexts.get(key)
    if context is None:
        context = _contexts[key] = _client_context(key)
    return context


def reload_client_contexts(specs: Iterable[ServerTls]) -> None:
    """Read the files of all these again and forget what is not named. Raises ValueError and
    changes nothing when one file is not good. Open connections stay as they are."""
    fresh = {key: _client_context(key) for key in {_key(spec) for spec in specs}}
    _contexts.clear()
    _contexts.update(fresh)


def _key(spec: ServerTls) -> ServerTls:
    return dataclasses.replace(spec, server_name=None)


def _client_context(spec: ServerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif spec.ca is not None:
        _load_trust(context, spec.ca)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if spec.certificate is not None:
        _load_own(context, spec.certificate, spec.key)
    return context
