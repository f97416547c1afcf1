"""Certificates and secrets that the rules file refers to: can they be used?"""

from __future__ import annotations

import os
import ssl

from l7lb.config.files import FileProblem, read_regular, reason
from l7lb.config.schema_secret import Secret
from l7lb.config.scope import Scope
from l7lb.model_directory import SecretSpec

PEM_LIMIT_BYTES = 8 << 20
SECRET_LIMIT_BYTES = 65536
SECRET_LEAST_BYTES = 16
NO_PEM = "certificate or key is missing"
"""OpenSSL gives no reason when a file lacks the PEM block that it looks for."""


def check_pair(scope: Scope, chain: str, key: str | None) -> None:
    """A certificate with its key, in one PEM file or two; `scope` is where the chain is named."""
    if not (_is_readable(scope, chain) and (key is None or _is_readable(scope, key))):
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        problem = _pem_reason(error)
        scope.problem(f"certificate {chain} cannot be used: {problem}", _pem_hint(problem, key))


def check_authorities(scope: Scope, path: str) -> None:
    if not _is_readable(scope, path):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError, ValueError) as error:
        scope.problem(f"{path} holds no usable certificates: {_pem_reason(error)}")


def check_ciphers(scope: Scope, ciphers: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(ciphers)
    except (ssl.SSLError, ValueError):
        scope.problem("OpenSSL knows none of these ciphers", "see `openssl ciphers`")


def secret(scope: Scope, given: Secret, least_bytes: int = SECRET_LEAST_BYTES) -> bytes:
    """The secret itself; b"" when it cannot be had, with the problem noted."""
    if (given.file is None) == (given.env is None):
        scope.problem("a secret has exactly one of file and env")
        return b""
    value = _from_file(scope.at("file"), given.file) if given.file else _from_env(scope, given.env)
    if value is not None and len(value) < least_bytes:
        scope.problem(f"the secret is shorter than {least_bytes} bytes")
    return value or b""


def referred(scope: Scope, given: Secret, least_bytes: int = 1) -> SecretSpec:
    """The secret with where it was read, so that `show --effective` can say that."""
    file = scope.at("file").path(given.file) if given.file else ""
    return SecretSpec(secret(scope, given, least_bytes), file, given.env or "")


def _from_file(scope: Scope, name: str) -> bytes | None:
    path = scope.path(name)
    try:
        return read_regular(path, SECRET_LIMIT_BYTES).rstrip(b"\r\n")
    except FileProblem as problem:
        scope.problem(f"{path} cannot be read: {problem}")
        return None


def _from_env(scope: Scope, name: str | None) -> bytes | None:
    value = os.environb.get((name or "").encode())
    if value is None:
        scope.at("env").problem(f"the environment variable {name} is not set")
    return value


def _is_readable(scope: Scope, path: str) -> bool:
    try:
        read_regular(path, PEM_LIMIT_BYTES)
    except FileProblem as problem:
        scope.problem(f"{path} cannot be read: {problem}")
        return False
    return True


def _no_password() -> bytes:
    raise ValueError("the key is encrypted")


def _pem_reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.replace("_", " ").lower() if error.reason else NO_PEM
    return reason(error)


def _pem_hint(problem: str, key: str | None) -> str:
    if key is None and problem == NO_PEM:
        return "the file holds both chain and key; or write {chain: …, key: …}"
    return ""
