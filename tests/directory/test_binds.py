"""Password checks by bind: places, lines, connections that lay idle, servers that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from l7lb.directory.binds import Binds
from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.directory.replica import Opener, Replica
from l7lb.errors import DirectoryAway
from l7lb.model_directory import LdapSpec, PasswordCheck, ReplicaSpec, Role
from l7lb_protocols.ldap.urls import LdapUrl
from support.directories import PATIENT, PEOPLE, QUICK, Proxy, ldap_spec, turns
from support.slapd import Slapd

Make = Callable[[LdapSpec], LdapDirectory]

ALICE = f"mail=alice@example.org,{PEOPLE}"


async def test_right_and_wrong(slapd: Slapd, make: Make) -> None:
    binds = make(ldap_spec(slapd.url)).binds
    assert await binds.is_password(ALICE, b"alice-secret")
    assert not await binds.is_password(ALICE, b"bob-secret")
    assert not await binds.is_password(f"mail=nobody@example.org,{PEOPLE}", b"alice-secret")
    assert not await binds.is_password("no dn", b"alice-secret")


async def test_an_anonymous_bind_is_never_made(proxy: Proxy, make: Make) -> None:
    binds = make(ldap_spec(proxy.url)).binds
    assert not await binds.is_password(ALICE, b"")
    assert not await binds.is_password("", b"alice-secret")
    assert binds.done == 0


async def test_one_connection_is_used_again_and_replaced_when_lost(
    proxy: Proxy, make: Make
) -> None:
    directory = make(ldap_spec(proxy.url, connections=1, timeouts=PATIENT))
    await directory.account("alice@example.org")
    binds, before = directory.binds, proxy.accepted
    assert await binds.is_password(ALICE, b"alice-secret")
    assert await binds.is_password(ALICE, b"alice-secret")
    assert proxy.accepted == before + 1
    proxy.cut()
    assert await binds.is_password(ALICE, b"alice-secret")


async def test_a_full_line(proxy: Proxy, make: Make) -> None:
    directory = make(ldap_spec(proxy.url, bind_connections=1, queue=1, timeouts=PATIENT))
    binds = directory.binds
    assert await binds.is_password(ALICE, b"alice-secret")
    proxy.hold_after(0)
    first = asyncio.create_task(binds.is_password(ALICE, b"alice-secret"))
    await proxy.held.wait()
    second = asyncio.create_task(binds.is_password(ALICE, b"bob-secret"))
    await turns(10)
    assert binds.waiting == 1
    with pytest.raises(DirectoryAway, match="more than 1 password checks wait"):
        await binds.is_password(ALICE, b"alice-secret")
    proxy.release()
    assert await first
    assert not await second
    assert binds.waiting == 0


async def test_who_gives_up_leaves_the_line(proxy: Proxy, make: Make) -> None:
    binds = make(ldap_spec(proxy.url, bind_connections=1, timeouts=PATIENT)).binds
    assert await binds.is_password(ALICE, b"alice-secret")
    proxy.hold_after(0)
    first = asyncio.create_task(binds.is_password(ALICE, b"alice-secret"))
    await proxy.held.wait()
    second = asyncio.create_task(binds.is_password(ALICE, b"alice-secret"))
    await turns(10)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert binds.waiting == 0
    proxy.release()
    assert await first


async def test_a_server_that_does_not_answer_has_a_deadline(proxy: Proxy, make: Make) -> None:
    binds = make(ldap_spec(proxy.url, timeouts=QUICK)).binds
    assert await binds.is_password(ALICE, b"alice-secret")
    proxy.hold_after(0)
    with pytest.raises(DirectoryAway):
        await binds.is_password(ALICE, b"alice-secret")


async def test_another_server_is_asked(slapd: Slapd, own_slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(own_slapd.url, slapd.url, check=PasswordCheck.BIND))
    assert await directory.account("alice@example.org")
    own_slapd.kill()
    for _ in range(4):
        assert await directory.binds.is_password(ALICE, b"alice-secret")


async def test_a_server_that_hangs_is_passed_over(slapd: Slapd, proxy: Proxy, make: Make) -> None:
    limits = replace(PATIENT, bind_s=0.5)
    directory = make(ldap_spec(proxy.url, slapd.url, connections=1, timeouts=limits))
    while not all(replica.is_up for replica in directory.replicas):
        await asyncio.sleep(0.005)
    binds = directory.binds
    both = [binds.is_password(ALICE, b"alice-secret") for _ in range(4)]
    assert await asyncio.gather(*both) == [True] * 4
    assert len({str(replica.spec.url) for replica, _ in binds._idle}) == 2
    proxy.hold_after(0)
    for _ in range(3):
        assert await binds.is_password(ALICE, b"alice-secret")
    proxy.release()


async def test_no_server_that_answers(make: Make) -> None:
    nobody = LdapUrl("ldap", "127.0.0.1", 1)
    directory = make(ldap_spec(nobody, timeouts=QUICK))
    with pytest.raises(DirectoryAway):
        await directory.binds.is_password(ALICE, b"alice-secret")


async def test_servers_for_changes_alone_are_not_asked(slapd: Slapd, make: Make) -> None:
    spec = ldap_spec(slapd.url)
    writer = ReplicaSpec(LdapUrl("ldap", "127.0.0.1", 1), Role.WRITE)
    directory = make(replace(spec, replicas=(writer, *spec.replicas)))
    assert await directory.account("alice@example.org")
    assert await directory.binds.is_password(ALICE, b"alice-secret")
    assert [replica.is_hopeful for replica in directory.replicas] == [False, True]


async def test_after_the_close_no_connection_stays(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url))
    opener: Opener = directory.opener
    alone = Binds([Replica(directory.spec.replicas[0], opener, None, 1)], opener, directory.spec)
    assert await alone.is_password(ALICE, b"alice-secret")
    assert len(alone._idle) == 1
    [(_, connection)] = alone._idle
    alone.close()
    assert not connection.is_open
