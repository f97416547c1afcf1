"""Which server is searched: the least busy, another when one fails, none that is down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.directory.libldap import NO_SUCH_OBJECT, SUBTREE, Search
from l7lb.directory.searches import Searches
from l7lb.errors import DirectoryAway
from l7lb.model_directory import LdapSpec
from l7lb_protocols.ldap.urls import LdapUrl
from support.directories import PATIENT, PEOPLE, QUICK, Proxy, ldap_spec, turns
from support.slapd import Slapd

Make = Callable[[LdapSpec], LdapDirectory]

ALICE = Search(PEOPLE, SUBTREE, "(mail=alice@example.org)", ("mail",), 2)


async def all_up(directory: LdapDirectory) -> Searches:
    while not all(replica.is_up for replica in directory.replicas):
        await asyncio.sleep(0.005)
    return directory.searches


async def test_the_least_busy_is_taken(slapd: Slapd, proxy: Proxy, make: Make) -> None:
    """The one that keeps its answers back gets one search, and no more while the other is free."""
    spec = ldap_spec(proxy.url, slapd.url, connections=1, timeouts=PATIENT)
    directory = make(spec)
    searches = await all_up(directory)
    proxy.hold_after(0)
    held = [asyncio.create_task(searches.search(ALICE)) for _ in range(2)]
    await proxy.held.wait()
    await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)  # else both are as busy
    for _ in range(20):
        assert len((await searches.search(ALICE)).entries) == 1
    assert [replica.outstanding for replica in directory.replicas] == [1, 0]
    proxy.release()
    await asyncio.gather(*held)
    assert directory.replicas[1].served == 21


async def test_a_server_that_hangs_costs_half_of_the_time_and_not_the_answer(
    slapd: Slapd, proxy: Proxy, make: Make
) -> None:
    limits = replace(PATIENT, search_s=1.0)
    directory = make(ldap_spec(proxy.url, slapd.url, connections=1, timeouts=limits))
    searches = await all_up(directory)
    proxy.hold_after(0)
    found = await asyncio.gather(*(searches.search(ALICE) for _ in range(4)))
    assert [len(answer.entries) for answer in found] == [1] * 4
    assert searches.retried == 2
    proxy.release()


async def test_a_refusal_is_not_tried_elsewhere(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url))
    with pytest.raises(NO_SUCH_OBJECT):
        await directory.searches.search(replace(ALICE, base="ou=nowhere,dc=example,dc=org"))
    assert directory.searches.retried == 0


async def test_who_waits_gives_up_and_the_others_go_on(proxy: Proxy, make: Make) -> None:
    spec = ldap_spec(proxy.url, connections=1, outstanding=1, timeouts=PATIENT)
    directory = make(spec)
    searches = await all_up(directory)
    proxy.hold_after(0)
    first, second, third = (asyncio.create_task(searches.search(ALICE)) for _ in range(3))
    await proxy.held.wait()
    await turns(10)
    assert searches.waiting == 2
    second.cancel()
    proxy.release()
    assert (await first).entries
    assert (await third).entries
    assert searches.waiting == 0


async def test_who_waits_hears_at_once_that_all_are_down(proxy: Proxy, make: Make) -> None:
    limits = replace(QUICK, search_s=30.0)
    spec = ldap_spec(proxy.url, connections=1, outstanding=1, timeouts=limits)
    searches = await all_up(make(spec))
    proxy.hold_after(0)
    asked = [asyncio.create_task(searches.search(ALICE)) for _ in range(3)]
    await proxy.held.wait()
    proxy.stop_accepting()
    proxy.cut()
    for each in asked:
        with pytest.raises(DirectoryAway, match="no directory server answers"):
            await each


async def test_look_ups_before_the_first_connection_wait_for_it(slapd: Slapd, make: Make) -> None:
    searches = make(ldap_spec(slapd.url)).searches
    assert (await searches.search(ALICE)).entries


async def test_nobody_is_there(make: Make) -> None:
    directory = make(ldap_spec(LdapUrl("ldap", "127.0.0.1", 1), timeouts=QUICK))
    with pytest.raises(DirectoryAway, match=r"no directory server answers: ldap://127.0.0.1:1"):
        await directory.searches.search(ALICE)
