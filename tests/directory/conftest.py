"""A slapd for all, one for each test that changes or kills it, and both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trustme
import uvloop

from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.directory.opened import Opened, open_directory
from l7lb.model_directory import LdapSpec, LdapTls, StaticSpec
from l7lb.ports import ManualClock
from l7lb_protocols.ldap.urls import LdapUrl
from support.directories import Proxy, Silent, ldap_spec
from support.slapd import LDAP, Slapd, crowd

MakeDirectory = Callable[..., LdapDirectory]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, slapd.pem and slapd.key (for localhost and 127.0.0.1)."""
    folder = tmp_path_factory.mktemp("ldap-certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "slapd.key")
    for part in issued.cert_chain_pems:
        part.write_to_path(folder / "slapd.pem", append=True)
    return folder


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Slapd]:
    """With the seed and a crowd; nobody changes it."""
    pair = (certificates / "slapd.pem", certificates / "slapd.key")
    server = Slapd(tmp_path_factory.mktemp("slapd") / "one", pair)
    server.load(crowd())
    yield server.start()
    server.stop()


@pytest.fixture
def own_slapd(tmp_path: Path) -> Iterator[Slapd]:
    """With the seed, for this test alone."""
    server = Slapd(tmp_path / "own-slapd")
    yield server.start()
    server.stop()


@pytest.fixture
def trusting(certificates: Path) -> LdapTls:
    return LdapTls(ca=str(certificates / "ca.pem"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def make(clock: ManualClock) -> AsyncIterator[MakeDirectory]:
    """Directories that are started here and closed after the test."""
    made: list[LdapDirectory] = []

    def start(spec: LdapSpec) -> LdapDirectory:
        made.append(LdapDirectory(spec, clock))
        made[-1].start()
        return made[-1]

    yield start
    for directory in made:
        await directory.close()


@pytest.fixture
async def proxy(slapd: Slapd) -> AsyncIterator[Proxy]:
    """Before the plain port of the common slapd."""
    made = await Proxy(slapd.url).start()
    yield made
    await made.close()


@pytest.fixture
async def tls_proxy(slapd: Slapd) -> AsyncIterator[Proxy]:
    made = await Proxy(slapd.tls_url).start()
    yield made
    await made.close()


@pytest.fixture
def silent() -> Iterator[LdapUrl]:
    server = Silent()
    yield server.url
    server.close()


@pytest.fixture(params=["ldap", "yaml", "ldif"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    """Every kind of directory with the same three users, for this test alone."""
    server = None
    if request.param == "ldap":
        server = Slapd(tmp_path / "slapd").start()
        found = open_directory(ldap_spec(server.url))
    else:
        file = tmp_path / f"users.{request.param}"
        source = LDAP / "seed.ldif" if request.param == "ldif" else SEED_YAML
        file.write_text(source.read_text())
        found = open_directory(StaticSpec(str(file)))
    yield found
    await found.directory.close()
    if server is not None:
        server.stop()


SEED_YAML = Path(__file__).parent / "seed.yaml"
