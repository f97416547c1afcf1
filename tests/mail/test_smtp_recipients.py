"""Who goes where: directory, rules, assignment; the idle connections; and when nobody is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l7lb.accounts import Account
from l7lb.mail.smtp.carrier import CarrierLost
from l7lb.mail.smtp.carriers import Sending
from l7lb.mail.smtp.desk import Desk, host_name, is_within, server_settings
from l7lb.mail.smtp.office import SmtpOffice
from l7lb.mail.smtp.recipients import NO_ROUTE, NO_SERVER, UNKNOWN, Client, Finder, Refused, Target
from l7lb.model import MatchSpec
from l7lb.model_failures import RetrySpec
from l7lb.model_http import FixedReply
from l7lb.model_mail import Auth, LoginOptions, SmtpOptions
from l7lb.net.service import Service
from l7lb_protocols.smtp.address import Address
from support.rig import route, service
from support.smtp_rig import DROP, ENVELOPE, HANG, MailRig, MailServer

ALICE = Address(b"Alice", b"Example.org")
ALICE_TEXT = "alice@example.org"
SENDING = Sending(b"mx.example.org", {})


def desk_of(rig: MailRig) -> Desk:
    return rig.plug.start(rig.rig.engine)


def service_of(rig: MailRig) -> Service:
    return rig.rig.engine.services["www"]


async def find(rig: MailRig, address: Address = ALICE, *, unknown_too: bool = False) -> Target:
    client = Client("192.0.2.9", account=b"sam@example.org")
    return await desk_of(rig).finder.find(service_of(rig), client, address, unknown_too=unknown_too)


async def test_facts_of_a_known_recipient() -> None:
    async with MailRig([MailServer()], {ALICE_TEXT: "m1"}) as rig:
        target = await find(rig)
        facts = target.facts
        assert (facts.recipient, facts.account) == (b"alice@example.org", b"alice@example.org")
        assert (facts.source, facts.server) == ("192.0.2.9", b"m1")
        assert target.key == ("mail", b"m1")
        office: SmtpOffice = rig.office
        assert office.random() < 1


async def test_attributes_of_the_recipient_are_facts() -> None:
    async with MailRig([MailServer()], {ALICE_TEXT: "m1"}) as rig:
        account = Account(ALICE_TEXT, server="m1", attributes={"room": ("7",)})
        rig.office.directory.accounts[ALICE_TEXT] = account
        assert (await find(rig)).facts.attribute(b"room") == (b"7",)


async def test_unknown_recipients_and_who_logged_in() -> None:
    async with MailRig([MailServer()], {}) as rig:
        with pytest.raises(Refused) as caught:
            await find(rig)
        assert caught.value.reply == UNKNOWN
        facts = (await find(rig, unknown_too=True)).facts
        assert (facts.account, facts.server) == (b"sam@example.org", b"")


async def test_no_server_no_route_and_a_route_that_refuses() -> None:
    async with MailRig([MailServer()], {ALICE_TEXT: "m9"}) as rig:
        with pytest.raises(Refused) as caught:
            await find(rig)
        assert caught.value.reply == NO_SERVER
        rig.office.directory.accounts[ALICE_TEXT] = Account(ALICE_TEXT, server="m1")
        refusing = route(match=MatchSpec(recipients=(b"*@example.org",)))
        refusing = replace(refusing, reply=FixedReply(403, body=b"not today"))
        for one, text in ((refusing, b"not today"), (None, NO_ROUTE.lines[0])):
            spec = replace(service(*([one] if one else [])), protocol="smtp")
            pools = rig.rig.engine.pools
            old = service_of(rig)
            changed = Service(spec, 0, pools, None, None, rig.plug)  # type: ignore[arg-type]
            rig.rig.engine.services["www"] = changed
            with pytest.raises(Refused) as caught:
                await find(rig)
            rig.rig.engine.services["www"] = old
            assert caught.value.reply.code == 550
            assert caught.value.reply.lines == (text,)


async def test_without_a_directory_everybody_is_unknown() -> None:
    async with MailRig([MailServer()], {}) as rig:
        rig.office.directory = None  # type: ignore[assignment]
        finder = Finder(rig.office, rig.office.random)
        assert await finder.account_of(ALICE) is None


async def test_another_server_is_tried_where_the_recipient_is_bound_to_none() -> None:
    servers = [MailServer(says={"greeting": DROP}), MailServer(says={"greeting": DROP})]
    async with MailRig(servers, {}, pool={"retry": RetrySpec(attempts=1)}) as rig:
        target = await find(rig, unknown_too=True)
        with pytest.raises(CarrierLost) as caught:
            await desk_of(rig).carriers.open(target, SENDING)
        assert caught.value.reply.code == 451
        assert [server.connections for server in servers] == [1, 1]
        servers[0].says.clear()
        carrier = await desk_of(rig).carriers.open(target, SENDING)
        assert carrier.leg.server.name == "m1"
        assert desk_of(rig).carriers.known(rig.rig.engine.pools.values()) == [carrier.extensions]
        carrier.quit()


async def test_full_servers_are_waited_for_and_then_given_up() -> None:
    more = {"queue_timeout_s": 0.2}
    async with MailRig([MailServer()], {ALICE_TEXT: "m1"}, pool=more) as rig:
        pool = rig.rig.engine.pools["mail"]
        pool.servers[0].max_connections = 1
        target = await find(rig)
        first = await desk_of(rig).carriers.open(target, SENDING)
        with pytest.raises(CarrierLost):
            await desk_of(rig).carriers.open(target, SENDING)
        first.quit()
        second = await desk_of(rig).carriers.open(target, SENDING)
        second.quit()


async def test_what_servers_keep_is_what_clients_are_offered() -> None:
    server = MailServer(words=("PIPELINING", "SIZE 1000"))
    async with MailRig([server], {ALICE_TEXT: "m1"}) as rig:
        async with await rig.client() as client:
            hello = (await client.say("EHLO c"))[0]
            assert "SIZE 52428800" in hello
            assert "8BITMIME" in hello
            await client.codes(ENVELOPE[1], f"RCPT TO:<{ALICE_TEXT}>", "RSET")
            hello = (await client.say("EHLO c"))[0]
            assert "SIZE 1000" in hello
            assert "8BITMIME" not in hello
            assert await client.codes("MAIL FROM:<> BODY=8BITMIME") == ["555"]


def test_settings_follow_the_options() -> None:
    smtp = SmtpOptions(auth=Auth.REQUIRED, require_tls=True, message_bytes=5, max_hops=7)
    spec = replace(service(), smtp=smtp, login=LoginOptions(mechanisms=("PLAIN",)))
    settings = server_settings(spec, "host", True)
    assert settings.name == host_name(spec, "host") == b"host"
    assert settings.own.auth == {b"PLAIN"}
    assert settings.own.starttls
    assert (settings.require_tls, settings.require_auth, settings.plain_auth) == (True, True, False)
    assert (settings.data.max_bytes, settings.data.max_hops) == (5, 7)
    off = server_settings(replace(spec, smtp=SmtpOptions(host_name="mx")), "host", False)
    assert (off.name, off.own.auth, off.require_auth) == (b"mx", frozenset(), False)


def test_networks_of_the_trusted() -> None:
    assert is_within("192.0.2.9", ("10.0.0.0/8", "192.0.2.0/24"))
    assert not is_within("2001:db8::1", ("192.0.2.0/24",))
    assert not is_within("", ("0.0.0.0/0",))


async def test_the_end_of_the_worker_answers_whoever_waits() -> None:
    """Be it for the greeting or behind the message; an idle connection says QUIT."""
    for key in ("greeting", "END"):
        async with MailRig([MailServer(says={key: HANG})], {ALICE_TEXT: "m1"}) as rig:
            async with await rig.client() as client:
                await client.codes(*ENVELOPE)
                client.writer.write(f"RCPT TO:<{ALICE_TEXT}>\r\n".encode())
                if key == "END":
                    assert (await client.reply())[:3] == "250"
                    assert await client.codes("DATA") == ["354"]
                    client.writer.write(b"x\r\n.\r\n")
                    await rig.until(lambda: "DATA" in rig.servers[0].commands)
                else:
                    await rig.until(lambda: rig.servers[0].connections)
                rig.plug.close()
                assert (await client.reply())[:3] == "451"
