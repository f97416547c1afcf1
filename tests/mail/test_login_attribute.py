"""A login goes where an attribute of its account says: from slapd, and from the same data in a
file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.directory.opened import open_directory
from l7lb.model import ClusterSpec, MatchSpec, ValueMatch
from l7lb.model_directory import DirectorySpec, StaticSpec
from l7lb.model_mail import LoginOptions
from l7lb_storage import MemoryEngine, World
from support.directories import ldap_spec
from support.imap_script import ImapScript
from support.mail_rig import MailRig, mail_service, scripted_pool
from support.rig import route
from support.slapd import LDAP, Slapd

SALES = MatchSpec(attributes=(ValueMatch(b"departmentnumber", b"sales"),))


@pytest.fixture(params=["slapd", "file"])
def people(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DirectorySpec]:
    """Of these only alice is of the sales department."""
    if request.param == "file":
        yield StaticSpec(str(LDAP / "seed.ldif"))
        return
    slapd = Slapd(tmp_path / "slapd").start()
    try:
        yield ldap_spec(slapd.url)
    finally:
        slapd.stop()


async def login(port: int, name: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(30):
        await reader.readline()
        writer.write(f"a LOGIN {name}@example.org {name}-secret\r\n".encode())
        answer = await reader.readline()
    writer.close()
    return answer


async def test_whom_the_attribute_sends_elsewhere(people: DirectorySpec) -> None:
    async with ImapScript() as usual, ImapScript() as other:
        pools = {
            "mail": scripted_pool(usual.port, usual.port),
            "sales": replace(scripted_pool(other.port, other.port), name="sales"),
        }
        options = LoginOptions(secrets_in_clear=True)
        routes = (route("sales", name="sales", match=SALES), route("mail", name="rest"))
        service = replace(mail_service("imap", login=options), routes=routes)
        spec = ClusterSpec(pools, {"imap": service})
        async with MailRig(spec, open_directory(people).directory, MemoryEngine(World())) as rig:
            assert await login(rig.port, "alice") == b"a OK in\r\n"
            assert (len(usual.logins), len(other.logins)) == (0, 1)
            assert await login(rig.port, "bob") == b"a OK in\r\n"
            assert (len(usual.logins), len(other.logins)) == (1, 1)
            await rig.until(lambda: not rig.engine.drivers)
