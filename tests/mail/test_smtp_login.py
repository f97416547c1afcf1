"""SMTP clients that log in, TLS on both sides, and who is told of whom."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from l7lb.accounts import Account, ScramKeys, Status
from l7lb.mail.smtp.login import SmtpLogin
from l7lb.model import Address, Certificate, ListenSpec, ListenTls, ServerTls
from l7lb.model_mail import Auth, LoginOptions, PenaltySpec, SmtpOptions
from l7lb_protocols.sasl.keys import ScramKeys as Keys
from l7lb_protocols.smtp.auth import Challenge, Done, Failed
from support.smtp_rig import ENVELOPE, SECRET, WORDS, MailRig, MailServer, Office, Users

ALICE = "alice@example.org"
USERS = {ALICE: "m1"}
OPTIONS = SmtpOptions(host_name="mx.example.org", auth=Auth.REQUIRED, accept_unknown=True)
CLEAR = LoginOptions(secrets_in_clear=True, penalty=PenaltySpec(delays_s=(0.0,)))


def plain(name: str, secret: bytes) -> str:
    return "AUTH PLAIN " + b64encode(b"\0" + name.encode() + b"\0" + secret).decode()


def certificate(folder: Path) -> tuple[ListenTls, ssl.SSLContext]:
    issued = trustme.CA().issue_cert("localhost")
    chain, key = folder / "chain.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return ListenTls((Certificate(str(chain), str(key)),), alpn=()), context


def blind() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_who_logs_in_may_send() -> None:
    async with MailRig([server := MailServer(lmtp=False)], USERS, smtp=OPTIONS, login=CLEAR) as rig:
        async with await rig.client() as client:
            hello, mail = await client.say("EHLO c", "MAIL FROM:<a@example.org>")
            assert "AUTH LOGIN PLAIN" in hello
            assert mail[:9] == "530 5.7.0"
            assert (await client.say(plain(ALICE, SECRET)))[0][:3] == "235"
            assert await client.codes(ENVELOPE[1], "RCPT TO:<out@far.example>") == ["250"] * 2
            assert (await client.message())[:3] == "250"
        assert b"with ESMTPA id" in server.messages[0].data


async def test_login_in_two_steps() -> None:
    async with MailRig([MailServer()], USERS, smtp=OPTIONS, login=CLEAR) as rig:
        async with await rig.client() as client:
            name, secret = b64encode(ALICE.encode()).decode(), b64encode(SECRET).decode()
            said = [(await client.say(line))[0] for line in ("EHLO c", "AUTH LOGIN", name, secret)]
            assert [line[:3] for line in said] == ["250", "334", "334", "235"]


async def test_wrong_secrets_are_logged_and_end_the_session(tmp_path: Path) -> None:
    login = replace(CLEAR, max_failures=2)
    log = tmp_path / "log"
    async with MailRig([MailServer()], USERS, smtp=OPTIONS, login=login, log=log) as rig:
        async with await rig.client() as client:
            await client.say("EHLO c")
            assert (await client.say(plain(ALICE, b"wrong")))[0][:9] == "535 5.7.8"
            assert (await client.say(plain("nobody@x.example", SECRET)))[0][:3] == "535"
            assert (await client.reply())[:3] == "421"
            assert await client.reply() == ""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["target"], line["status"]) for line in lines] == [
        (ALICE, 535),
        ("nobody@x.example", 535),
    ]


async def test_without_tls_no_secret_is_asked_for_and_none_taken() -> None:
    async with MailRig([MailServer()], USERS, smtp=OPTIONS) as rig:
        async with await rig.client() as client:
            hello, answer = await client.say("EHLO c", plain(ALICE, SECRET))
            assert "AUTH" not in hello
            assert answer[:3] == "530"


async def test_a_directory_that_is_away_is_temporary() -> None:
    async with MailRig([MailServer()], USERS, smtp=OPTIONS, login=CLEAR) as rig:
        rig.office.directory.away = True
        async with await rig.client() as client:
            assert await client.codes("EHLO c", plain(ALICE, SECRET)) == ["250", "454"]


async def test_starttls_forgets_what_was_said_before(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path)
    listen = ListenSpec(Address("127.0.0.1", 0), starttls=tls)
    options = replace(OPTIONS, require_tls=True)
    async with MailRig([server := MailServer()], USERS, smtp=options, listen=listen) as rig:
        async with await rig.client() as client:
            hello, mail = await client.say("EHLO c", "MAIL FROM:<>")
            assert "STARTTLS" in hello
            assert mail[:3] == "530"
            injected = b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n"
            assert (await client.raw(injected))[:3] == "220"
            await client.secure(blind())
            assert await client.codes("MAIL FROM:<>") == ["503"]
            hello = (await client.say("EHLO c"))[0]
            assert "STARTTLS" not in hello
            assert "AUTH LOGIN PLAIN" in hello
            assert await client.codes(plain(ALICE, SECRET)) == ["235"]
            assert await client.codes("MAIL FROM:<>", f"RCPT TO:<{ALICE}>") == ["250", "250"]
            assert (await client.message())[:3] == "250"
        assert b"with ESMTPSA id" in server.messages[0].data


async def test_tls_from_the_start(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path)
    listen = ListenSpec(Address("127.0.0.1", 0), tls=tls)
    async with MailRig([MailServer()], USERS, smtp=OPTIONS, listen=listen) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port, ssl=blind())
        assert (await reader.readline())[:3] == b"220"
        writer.write(b"EHLO c\r\n" + plain(ALICE, SECRET).encode() + b"\r\n")
        while (line := await reader.readline())[3:4] == b"-":
            assert b"STARTTLS" not in line
        assert (await reader.readline())[:3] == b"235"
        writer.close()


async def test_starttls_towards_the_server(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    pool = {"tls": ServerTls(verify=False, starttls=True)}
    async with MailRig([server := MailServer(tls=context)], USERS, pool=pool) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            assert (await client.message())[:3] == "250"
        assert server.commands[:3] == ["LHLO mx.example.org", "STARTTLS", "LHLO mx.example.org"]


@pytest.mark.parametrize("said", [b"220 go\r\n250 injected", b"454 no"])
async def test_a_server_that_spoils_starttls_gets_no_mail(tmp_path: Path, said: bytes) -> None:
    _, context = certificate(tmp_path)
    pool = {"tls": ServerTls(verify=False, starttls=True)}
    server = MailServer(tls=context, says={"STARTTLS": said})
    async with MailRig([server], USERS, pool=pool) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE)
            assert await client.codes(f"RCPT TO:<{ALICE}>") == ["451"]
        assert not any("MAIL" in command for command in server.commands)


async def test_a_server_without_tls_gets_no_mail_where_tls_is_wanted() -> None:
    pool = {"tls": ServerTls(verify=False, starttls=True)}
    async with MailRig([MailServer()], USERS, pool=pool) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE)
            assert (await client.say(f"RCPT TO:<{ALICE}>"))[0][:9] == "451 4.7.4"


async def test_xclient_is_believed_from_whom_it_should_and_passed_on() -> None:
    trusting = replace(OPTIONS, auth=Auth.OFF, xclient_from=("127.0.0.0/8",))
    words = (*WORDS, "XCLIENT ADDR PORT HELO PROTO LOGIN TTL")
    server = MailServer(words=words)
    async with MailRig([server], USERS, smtp=trusting) as rig:
        async with await rig.client() as client:
            hello = (await client.say("EHLO front"))[0]
            assert "XCLIENT" in hello
            told = "XCLIENT ADDR=192.0.2.9 PORT=4711 HELO=far.example LOGIN=bob TTL=4"
            assert await client.codes(told, *ENVELOPE, f"RCPT TO:<{ALICE}>") == [
                "220", "250", "250", "250",
            ]  # fmt: skip
            assert (await client.message())[:3] == "250"
        assert b"from far.example ([192.0.2.9])" in server.messages[0].data
        [line] = [each for each in server.commands if each.startswith("XCLIENT")]
        words_told = set(line.split(" ")[1:])
        assert words_told >= {"ADDR=192.0.2.9", "PORT=4711", "HELO=far.example", "TTL=3"}
        async with await rig.client() as other:
            await other.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            assert (await other.message())[:3] == "250"
        assert server.connections == 2


async def test_xclient_of_others_is_refused_and_a_ring_ends() -> None:
    async with MailRig([MailServer()], USERS) as rig:
        async with await rig.client() as client:
            assert await client.codes("EHLO c", "XCLIENT ADDR=192.0.2.9") == ["250", "550"]
    trusting = replace(OPTIONS, xclient_from=("127.0.0.1/32",))
    async with MailRig([MailServer()], USERS, smtp=trusting) as rig:
        async with await rig.client() as client:
            assert await client.codes("EHLO c", "XCLIENT TTL=0") == ["250", "554"]


async def test_proxy_header_towards_the_server() -> None:
    lines: list[bytes] = []

    class Behind(MailServer):
        async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            lines.append(await reader.readline())
            await super()._talk(reader, writer)

    async with MailRig([Behind()], USERS, pool={"send_proxy": 1}) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            assert (await client.message())[:3] == "250"
    assert lines[0].startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")


# --------------------------------------------------------------------- the exchange alone


BARE = b"n=" + ALICE.encode() + b",r=nonce-of-the-client"


def last_words(first: bytes, secret: bytes) -> bytes:
    """What a right client says to the server's first message (RFC 5802 §3)."""
    parts = dict(part.split(b"=", 1) for part in first.split(b","))
    without = b"c=biws,r=" + parts[b"r"]
    salted = hashlib.pbkdf2_hmac("sha256", secret, b64decode(parts[b"s"]), int(parts[b"i"]))
    client = hmac.digest(salted, b"Client Key", "sha256")
    signed = b",".join((BARE, first, without))
    signature = hmac.digest(hashlib.sha256(client).digest(), signed, "sha256")
    proof = bytes(one ^ other for one, other in zip(client, signature, strict=True))
    return without + b",p=" + b64encode(proof)


async def scram(users: Users, secret: bytes) -> object:
    exchange = SmtpLogin(Office(users), b"SCRAM-SHA-256")
    first = await exchange.step(b"n,," + BARE)
    assert isinstance(first, Challenge)
    second = await exchange.step(last_words(first.data, secret))
    if not isinstance(second, Challenge):
        return second
    return await exchange.step(b"")


async def test_scram() -> None:
    keys = Keys.derive(SECRET, b"salt")
    users = Users(USERS)
    stored = ScramKeys(keys.salt, keys.iterations, keys.stored, keys.server)
    users.accounts[ALICE] = Account(ALICE, scram=stored)
    assert await scram(users, SECRET) == Done(ALICE.encode())
    assert await scram(users, b"wrong") == Failed()
    users.accounts[ALICE] = Account(ALICE, scram=stored, status=Status.DISABLED)
    assert await scram(users, SECRET) == Failed()
    users.accounts[ALICE] = Account(ALICE)
    assert await scram(users, SECRET) == Failed()
    users.accounts[ALICE] = Account(ALICE, scram=replace(stored, iterations=1))
    exchange = SmtpLogin(Office(users), b"SCRAM-SHA-256")
    assert await exchange.step(b"n,," + BARE) == Failed(temporary=True)


async def test_names_and_nonsense() -> None:
    users = Users(USERS)
    ask = lambda: SmtpLogin(Office(users), b"PLAIN", b"", "example.org")  # noqa: E731
    assert await ask().step(b"\0alice\0" + SECRET) == Done(ALICE.encode())
    assert await ask().step(b"bob\0alice\0" + SECRET) == Failed()
    assert await ask().step(b"no parts") == Failed()
    assert await SmtpLogin(Office(None), b"PLAIN").step(b"\0alice\0" + SECRET) == Failed()
    external = SmtpLogin(Office(users), b"EXTERNAL", ALICE.encode())
    assert await external.step(b"") == Done(ALICE.encode())


async def salt(office: Office) -> bytes:
    first = await SmtpLogin(office, b"SCRAM-SHA-256").step(b"n,,n=nobody@example.org,r=abcdef")
    assert isinstance(first, Challenge)
    return dict(part.split(b"=", 1) for part in first.data.split(b","))[b"s"]


async def test_nobody_can_tell_by_another_worker_that_an_account_is_none() -> None:
    """The same salt for a name in each of them, as for an account that is there."""
    one, other = Office(Users(USERS)), Office(Users(USERS))
    assert await salt(one) == await salt(one) == await salt(other)
    other.secret = b"another cluster"
    assert await salt(one) != await salt(other)
