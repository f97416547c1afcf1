import json
from pathlib import Path

from l7lb.demo.mail_rules import MASTER, PASSWORD, USERS, plan_mail, server_text, write
from l7lb.directory.opened import open_directory
from l7lb.mailserver.spec import read_spec
from l7lb.model_directory import StaticSpec
from l7lb.scheduling.rendezvous import draw

PORTS = range(4, 10)


def test_every_port_has_one_use() -> None:
    spec = plan_mail((1, 2, 3), PORTS, Path("/demo"))
    assert [server.name for server in spec.servers] == ["m1", "m2"]
    used = [port for each in spec.servers for port in (each.imap, each.pop3, each.lmtp)]
    assert [spec.imap, spec.pop3, spec.smtp, *used] == list(range(1, 10))


def test_users_are_on_both_servers() -> None:
    """Else the demo shows nothing."""
    first = {
        user: min(("m1", "m2"), key=lambda name: draw(user.encode(), name, 1.0)) for user in USERS
    }
    assert first == dict(zip(USERS, ("m1", "m2", "m2"), strict=True))


async def test_users_can_log_in(tmp_path: Path) -> None:
    spec = plan_mail((1, 2, 3), PORTS, tmp_path)
    write(spec)
    directory = open_directory(StaticSpec(str(spec.accounts))).directory
    for user in USERS:
        assert await directory.verify(user, PASSWORD.encode())
        assert not await directory.verify(user, b"wrong")
    await directory.close()


def test_a_mail_server_understands_its_file(tmp_path: Path) -> None:
    spec = plan_mail((1, 2, 3), PORTS, tmp_path)
    file = tmp_path / "m2.json"
    file.write_text(server_text(spec, spec.servers[1]))
    read = read_spec([str(file)])
    assert (read.name, read.root, read.ports) == (
        "m2",
        spec.root,
        {"imap": 7, "pop3": 8, "lmtp": 9},
    )
    assert read.master == tuple(word.encode() for word in MASTER)
    assert json.loads(file.read_text())["store"] == f"unix:{spec.lockd}"
