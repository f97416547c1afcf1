"""Dovecot and directories for the tests of mail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
import uvloop

from support.dovecot import Dovecot

USERS = {f"{name}@example.org": f"{name}-secret" for name in ("alice", "bob", "carol")}


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Chain and key for localhost and 127.0.0.1, beside ca.pem."""
    folder = tmp_path_factory.mktemp("mail-certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "mail.key")
    for part in issued.cert_chain_pems:
        part.write_to_path(folder / "mail.pem", append=True)
    return folder / "mail.pem", folder / "mail.key"


@pytest.fixture(scope="session")
def dovecot(certificates: tuple[Path, Path]) -> Iterator[Dovecot]:
    """Nobody stops it."""
    server = Dovecot(USERS, tls=certificates)
    yield server.start()
    server.stop()
