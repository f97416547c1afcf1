"""Look-ups and password checks against a real slapd, well and unwell."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from l7lb.accounts import Outcome, Status
from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.errors import DirectoryAway, DirectoryConfused
from l7lb.model_directory import (
    BindSpec,
    CacheSpec,
    EntrySpec,
    LdapSpec,
    LdapTls,
    PasswordCheck,
    SecretSpec,
)
from l7lb.ports import ManualClock
from l7lb_protocols.ldap.urls import LdapUrl
from support.directories import DIRECTOR, PATIENT, QUICK, Proxy, filled, ldap_spec, turns
from support.slapd import Slapd

Make = Callable[[LdapSpec], LdapDirectory]

ALICE = "alice@example.org"


async def test_an_account_with_all_that_it_has(slapd: Slapd, make: Make) -> None:
    account = await make(ldap_spec(slapd.url)).account("Alice@Example.ORG")
    assert account is not None
    assert account.name == ALICE
    assert account.addresses == ("@example.net", "sales@example.org")
    assert (account.server, account.quota_bytes, account.status) == ("m1", 2**30, Status.ACTIVE)
    assert account.attributes == {"departmentnumber": ("sales",)}
    assert account.handle == f"mail={ALICE},ou=people,dc=example,dc=org"
    assert account.scram is not None
    assert "SSHA" not in repr(account)
    assert "salt" not in repr(account)


async def test_a_thousand_at_once_on_one_connection(proxy: Proxy, make: Make) -> None:
    spec = ldap_spec(proxy.url, base="dc=example,dc=org", connections=1, timeouts=PATIENT)
    directory = make(spec)
    names = [f"user{n}@crowd.test" for n in range(1000)]
    found = await asyncio.gather(*map(directory.account, names))
    assert [account and account.name for account in found] == names
    assert proxy.accepted == 1


@pytest.mark.parametrize("start_tls", [False, True])
async def test_tls(slapd: Slapd, make: Make, trusting: LdapTls, start_tls: bool) -> None:
    url = slapd.url if start_tls else slapd.tls_url
    tls = replace(trusting, start_tls=start_tls)
    directory = make(ldap_spec(url, tls=tls))
    found = await asyncio.gather(
        *(directory.account(ALICE.replace("alice", n)) for n in ("bob", "alice"))
    )
    assert [account and account.name for account in found] == ["bob@example.org", ALICE]
    assert (await directory.verify(ALICE, b"alice-secret")).outcome is Outcome.OK


async def test_a_socket_of_this_host(slapd: Slapd, make: Make) -> None:
    assert await make(ldap_spec(slapd.local_url)).account(ALICE)


async def test_an_untrusted_certificate_is_refused(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.tls_url, tls=LdapTls()))
    with pytest.raises(DirectoryAway, match="certificate verify failed"):
        await directory.account(ALICE)


async def test_a_certificate_for_another_name_is_refused(
    slapd: Slapd, make: Make, trusting: LdapTls
) -> None:
    directory = make(ldap_spec(slapd.tls_url, tls=replace(trusting, server_name="ldap.test")))
    with pytest.raises(DirectoryAway, match="certificate verify failed: Hostname mismatch"):
        await directory.account(ALICE)


# --------------------------------------------------------------------------- passwords


@pytest.mark.parametrize("check", [*PasswordCheck])
@pytest.mark.parametrize(
    ("name", "password", "outcome"),
    [
        (ALICE, b"alice-secret", Outcome.OK),
        ("ALICE@example.org", b"alice-secret", Outcome.OK),
        (ALICE, b"bob-secret", Outcome.WRONG),
        (ALICE, b"", Outcome.WRONG),
        (ALICE, b"x" * 1025, Outcome.WRONG),
        ("nobody@example.org", b"alice-secret", Outcome.UNKNOWN),
        ("*", b"alice-secret", Outcome.UNKNOWN),
        ("alice\0", b"alice-secret", Outcome.UNKNOWN),
    ],
)
async def test_verify(
    slapd: Slapd, make: Make, check: PasswordCheck, name: str, password: bytes, outcome: Outcome
) -> None:
    directory = make(ldap_spec(slapd.url, check=check))
    assert (await directory.verify(name, password)).outcome is outcome


async def test_hashes_that_may_not_be_read_are_asked_by_bind(slapd: Slapd, make: Make) -> None:
    """slapd shows an entry to its own user, but never the password."""
    alice = BindSpec(f"mail={ALICE},ou=people,dc=example,dc=org", SecretSpec(b"alice-secret"))
    directory = make(ldap_spec(slapd.url, bind=alice, base=alice.dn))
    verdict = await directory.verify(ALICE, b"alice-secret")
    assert verdict.outcome is Outcome.OK
    assert verdict.account is not None
    assert verdict.account.passwords == ()
    assert directory.binds.done == 1


async def test_a_password_found_right_is_not_checked_again(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url, check=PasswordCheck.BIND))
    for _ in range(3):
        assert await directory.verify(ALICE, b"alice-secret")
    assert directory.binds.done == 1
    assert not await directory.verify(ALICE, b"wrong-secret")
    assert directory.binds.done == 2


async def test_many_binds_at_once(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url, check=PasswordCheck.BIND, bind_connections=3))
    good = [directory.verify(ALICE, b"alice-secret") for _ in range(10)]
    bad = [directory.verify("bob@example.org", b"wrong-secret-%d" % n) for n in range(10)]
    found = await asyncio.gather(*good, *bad)
    assert [verdict.outcome for verdict in found] == [Outcome.OK] * 10 + [Outcome.WRONG] * 10


# --------------------------------------------------------------------------- unwell


async def test_nobody_answers(make: Make, silent: LdapUrl) -> None:
    directory = make(ldap_spec(silent, timeouts=QUICK))
    with pytest.raises(DirectoryAway):
        await directory.account(ALICE)
    with pytest.raises(DirectoryAway):
        await directory.verify(ALICE, b"alice-secret")


async def test_a_silent_server_blocks_nothing(make: Make, silent: LdapUrl) -> None:
    directory = make(ldap_spec(silent, timeouts=PATIENT))
    asked = asyncio.create_task(directory.account(ALICE))
    await turns()
    assert not asked.done()
    asked.cancel()


@pytest.mark.parametrize("count", [0, 1, 7, 100])
async def test_a_server_that_stops_in_the_middle_of_a_message(
    proxy: Proxy, make: Make, count: int
) -> None:
    directory = make(ldap_spec(proxy.url, connections=1, timeouts=PATIENT))
    assert await directory.account("bob@example.org")
    proxy.hold_after(count)
    asked = asyncio.create_task(directory.account(ALICE))
    await proxy.held.wait()
    await turns()
    assert not asked.done()
    proxy.release()
    account = await asked
    assert account is not None
    assert account.name == ALICE


@pytest.mark.parametrize("count", [0, 3, 900])
async def test_a_server_that_stops_in_the_middle_of_a_tls_handshake(
    tls_proxy: Proxy, make: Make, trusting: LdapTls, count: int
) -> None:
    tls_proxy.hold_after(count)
    directory = make(ldap_spec(tls_proxy.url, connections=1, tls=trusting, timeouts=PATIENT))
    asked = asyncio.create_task(directory.account(ALICE))
    await tls_proxy.held.wait()
    await turns()
    assert not asked.done()
    tls_proxy.release()
    assert await asked


@pytest.mark.parametrize("count", [20, 300])
async def test_a_server_that_stops_in_the_middle_of_a_tls_record(
    tls_proxy: Proxy, make: Make, trusting: LdapTls, count: int
) -> None:
    directory = make(ldap_spec(tls_proxy.url, connections=1, tls=trusting, timeouts=PATIENT))
    assert await directory.account("bob@example.org")
    tls_proxy.hold_after(count)
    asked = asyncio.create_task(directory.account(ALICE))
    await tls_proxy.held.wait()
    await turns()
    assert not asked.done()
    tls_proxy.release()
    assert await asked


async def test_a_handshake_that_never_ends_has_a_deadline(
    tls_proxy: Proxy, make: Make, trusting: LdapTls
) -> None:
    tls_proxy.hold_after(3)
    directory = make(ldap_spec(tls_proxy.url, tls=trusting, timeouts=QUICK))
    with pytest.raises(DirectoryAway):
        await directory.account(ALICE)
    tls_proxy.release()
    await until(lambda: any(replica.is_up for replica in directory.replicas))
    assert await directory.account(ALICE)


async def test_a_dead_replica_is_passed_over_and_comes_back(
    slapd: Slapd, own_slapd: Slapd, make: Make
) -> None:
    directory = make(ldap_spec(slapd.url, own_slapd.url, timeouts=replace(QUICK, search_s=5.0)))
    other = directory.replicas[1]
    await until(lambda: all(replica.is_up for replica in directory.replicas))
    own_slapd.kill()
    found = await asyncio.gather(*(directory.account(f"nobody{n}@a.test") for n in range(50)))
    assert found == [None] * 50
    await until(lambda: not other.is_hopeful)
    assert await directory.account(ALICE)
    own_slapd.start()
    await until(lambda: other.is_up)
    served = other.served
    await asyncio.gather(*(directory.account(f"nobody{n}@b.test") for n in range(50)))
    assert other.served > served


async def test_a_replica_that_hangs_is_found_out_and_comes_back(
    slapd: Slapd, own_slapd: Slapd, make: Make
) -> None:
    directory = make(ldap_spec(slapd.url, own_slapd.url, timeouts=QUICK))
    other = directory.replicas[1]
    await until(lambda: all(replica.is_up for replica in directory.replicas))
    own_slapd.send(signal.SIGSTOP)
    await until(lambda: not other.is_hopeful)
    assert await directory.account(ALICE)
    own_slapd.send(signal.SIGCONT)
    await until(lambda: other.is_up)


async def test_the_only_server_restarts(own_slapd: Slapd, make: Make, clock: ManualClock) -> None:
    directory = make(ldap_spec(own_slapd.url, timeouts=replace(QUICK, search_s=5.0)))
    assert await directory.account(ALICE)
    own_slapd.kill()
    await until(lambda: not directory.replicas[0].is_hopeful)
    clock.advance(301)
    stale = await directory.account(ALICE)
    assert stale is not None
    assert directory.cache.counts.stale == 1
    with pytest.raises(DirectoryAway, match="no directory server answers"):
        await directory.account("bob@example.org")
    own_slapd.start()
    await until(lambda: directory.replicas[0].is_up)
    assert await directory.account("bob@example.org")


async def test_a_cut_connection_costs_no_look_up(proxy: Proxy, make: Make) -> None:
    directory = make(ldap_spec(proxy.url, connections=1, timeouts=PATIENT))
    assert await directory.account(ALICE)
    proxy.hold_after(5)
    asked = asyncio.create_task(directory.account("bob@example.org"))
    await proxy.held.wait()
    proxy.cut()
    proxy.release()
    account = await asked
    assert account is not None
    assert directory.searches.retried == 1


async def test_a_wrong_password_of_ours_says_so(slapd: Slapd, make: Make) -> None:
    bind = replace(DIRECTOR, password=SecretSpec(b"wrong"))
    directory = make(ldap_spec(slapd.url, bind=bind))
    with pytest.raises(DirectoryAway, match="bind: invalid credentials"):
        await directory.account(ALICE)


async def test_closing_ends_what_is_under_way(proxy: Proxy, make: Make) -> None:
    directory = make(ldap_spec(proxy.url, timeouts=PATIENT))
    assert await directory.account(ALICE)
    proxy.hold_after(0)
    asked = asyncio.create_task(directory.account("bob@example.org"))
    await proxy.held.wait()
    await directory.close()
    with pytest.raises(DirectoryAway):
        await asked


# --------------------------------------------------------------------------- recipients, oddities


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (ALICE, ALICE),
        ("SALES@example.org", ALICE),
        ("whoever@example.net", ALICE),
        ("info@example.org", "bob@example.org"),
        ("nobody@example.org", None),
        ("@example.net", None),
        ("nobody", None),
        ("a@b@example.net", ALICE),
        ("*@example.org", None),
        ("x" * 400 + "@example.net", None),
    ],
)
async def test_recipients(slapd: Slapd, make: Make, address: str, name: str | None) -> None:
    account = await make(ldap_spec(slapd.url)).recipient(address)
    assert (account and account.name) == name


async def test_without_a_catch(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url, catch=None))
    assert await directory.recipient("whoever@example.net") is None


async def test_two_entries_for_one_name(slapd: Slapd, make: Make) -> None:
    for text in ("(mail=*)", "(|(mail=alice@example.org)(mail=bob@example.org))"):
        directory = make(ldap_spec(slapd.url, account=filled(text)))
        with pytest.raises(DirectoryConfused, match="several entries"):
            await directory.account(ALICE)


async def test_a_base_that_is_not_there(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url, base="ou=nowhere,dc=example,dc=org"))
    with pytest.raises(DirectoryConfused, match="no such object"):
        await directory.account(ALICE)


async def test_only_right_below_the_base(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url, base="dc=example,dc=org", subtree=False))
    assert await directory.account(ALICE) is None


async def test_a_filter_by_user_and_domain(slapd: Slapd, make: Make) -> None:
    text = "(&(mail={user}@*)(mail=*@{domain}))"
    directory = make(ldap_spec(slapd.url, account=filled(text), entry=EntrySpec()))
    account = await directory.account(ALICE)
    assert account is not None
    assert await directory.account("alice") is None


async def test_a_full_line_is_said_to_be(proxy: Proxy, make: Make) -> None:
    spec = ldap_spec(proxy.url, connections=1, outstanding=1, queue=1, timeouts=PATIENT)
    directory = make(spec)
    assert await directory.account(ALICE)
    proxy.hold_after(0)
    first = asyncio.create_task(directory.account("a@example.org"))
    await proxy.held.wait()
    second = asyncio.create_task(directory.account("b@example.org"))
    await until(lambda: directory.searches.waiting == 1)
    with pytest.raises(DirectoryAway, match="more than 1 look-ups wait"):
        await directory.account("c@example.org")
    proxy.release()
    assert await first is None
    assert await second is None


async def test_state_is_json_and_tells_no_secret(slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(slapd.url, cache=CacheSpec(limit=10)))
    await directory.verify(ALICE, b"alice-secret")
    state = directory.state()
    assert state["kind"] == "ldap"
    [replica] = state["replicas"]  # type: ignore[misc]
    assert replica["up"] is True
    assert replica["url"] == str(slapd.url)
    assert replica["served"] == 1
    assert "secret" not in repr(state)


async def until(holds: Callable[[], bool]) -> None:
    """The test's own time limit ends a wait for what never comes."""
    while not holds():
        await asyncio.sleep(0.005)
