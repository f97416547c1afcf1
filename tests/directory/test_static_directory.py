"""The directory in a file: what may stand there, how it is replaced, and what survives."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l7lb.accounts import Account, AccountEdit, Status
from l7lb.directory import static_document, static_file
from l7lb.directory.static_directory import StaticDirectory, StaticUsers
from l7lb.directory.static_document import Document, Names
from l7lb.directory.static_ldif import LdifDocument
from l7lb.directory.static_yaml import YamlDocument
from l7lb.errors import ConfigError, DirectoryRefused
from l7lb.model_directory import StaticSpec
from support.directories import turns
from support.slapd import LDAP

SEED_YAML = Path(__file__).parent / "seed.yaml"
HASH = "{SSHA}gvg9DIM/0b7mz4b8e01jon73FI1BB2Id"
ALICE = "alice@example.org"


@pytest.fixture(params=["yaml", "ldif"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"users.{request.param}"
    path.write_text((LDAP / "seed.ldif" if request.param == "ldif" else SEED_YAML).read_text())
    return path


def problems(text: str, name: str = "users.yaml") -> list[str]:
    document = LdifDocument if name.endswith("ldif") else YamlDocument
    with pytest.raises(ConfigError) as caught:
        Names(document(text, name))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "users: [",
            "users.yaml:1:9: not YAML: expected the node content, but found '<stream end>'",
        ),
        ("- a", "users.yaml:1:1: the file is not a mapping with the key users"),
        ("user: {}", "users.yaml:1:1: the file is not a mapping with the key users"),
        ("users: 5", "users.yaml:1:1: users are not a mapping of names"),
        ("users: {5: {}}", "users.yaml:1:9: 5 is no name for an account"),
        ("users:\n  ' a': {}", "users.yaml:2:3: ' a' is no name for an account"),
        ("users:\n  a: 5", "users.yaml:2:3: a is not a mapping such as {password: …}"),
        ("users:\n  a: {}\n  A: {}", "users.yaml:3:3: a stands here and at users.yaml:2:3"),
        ("users:\n  a: {}\n  a: {}", 'users.yaml:3:3: not YAML: found duplicate key "a"'),
        (
            "users:\n  a: {pasword: x}",
            (
                "users.yaml:2:7: unknown key 'pasword' (known keys: password, aliases, server,"
                " quota, status, attributes)"
            ),
        ),
        (
            "users:\n  a: {password: secret}",
            (
                "users.yaml:2:7: password is not a hash of a scheme that is known"
                " (`l7lb users password` makes one)"
            ),
        ),
        ("users:\n  a: {aliases: [b]}", "users.yaml:2:7: 'b' is not an address"),
        ("users:\n  a: {aliases: [5]}", "users.yaml:2:7: aliases is not text, or a list of texts"),
        ("users:\n  a: {server: [x, y]}", "users.yaml:2:7: server is one name"),
        ("users:\n  a: {quota: 5}", "users.yaml:2:7: 5 is not a size (such as 1GiB)"),
        ("users:\n  a: {quota: many}", "users.yaml:2:7: 'many' is not a size (such as 1GiB)"),
        ("users:\n  a: {status: off}", "users.yaml:2:7: 'off' is not active or disabled"),
        ("users:\n  a: {attributes: x}", "users.yaml:2:7: attributes are not a mapping"),
        (
            "users:\n  a@b: {}\n  c@b: {aliases: a@b}",
            "users.yaml:3:3: a@b belongs to a@b already",
        ),
    ],
)
def test_wrong_yaml(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_every_problem_is_told() -> None:
    assert len(problems("users:\n  a: {x: 1, quota: y}\n  b: {status: z}")) == 3


ENTRY = "dn: cn=a,dc=x\nobjectClass: inetLocalMailRecipient\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cn: a\n", "users.ldif:1:1: an entry begins with its dn"),
        (ENTRY, "users.ldif:1:1: entry cn=a,dc=x: no mail, which names the account"),
        (
            ENTRY + "mail: a@b\nuserPassword: secret\n",
            "users.ldif:1:1: entry cn=a,dc=x: userPassword is not a hash of a scheme that is known",
        ),
        (
            f"{ENTRY}mail: a@b\n\n{ENTRY}mail: A@b\n",
            "users.ldif:5:1: a@b stands here and at users.ldif:1:1",
        ),
    ],
)
def test_wrong_ldif(text: str, problem: str) -> None:
    assert problems(text, "users.ldif") == [problem]


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("static_yaml", "static_ldif"):
        monkeypatch.setattr(f"l7lb.directory.{module}.ACCOUNTS_LIMIT", 1)
    assert static_document.ACCOUNTS_LIMIT > 1
    assert "more than 1 users" in problems("users: {a: {}, b: {}}")[0]
    two = f"{ENTRY}mail: a@b\n\n{ENTRY}mail: c@d\n"
    assert "more than 1 users" in problems(two, "users.ldif")[0]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="users: ab\n-[]{}&*!'\"@0?|>#", max_size=60))
def test_whatever_stands_there_only_config_errors_come_out(text: str) -> None:
    for document in (YamlDocument, LdifDocument):
        with suppress(ConfigError):
            assert isinstance(Names(document(text, "users")).accounts, dict)


# --------------------------------------------------------------------------- on disk


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "cannot be read: no such file or directory"),
        (lambda path: path.mkdir(), "is not a regular file|cannot be read: is a directory"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.write_bytes(b"\xff"), "byte 0 is not UTF-8"),
        (lambda path: path.write_bytes(b"#" * 100), "has more than 99 bytes"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, make, reason: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(static_file, "FILE_LIMIT_BYTES", 99)
    make(tmp_path / "users.yaml")
    with pytest.raises(ConfigError, match=reason):
        StaticDirectory(StaticSpec(str(tmp_path / "users.yaml")))


async def test_a_reload_takes_the_new_file_or_none(file: Path) -> None:
    directory = StaticDirectory(StaticSpec(str(file)))
    assert await directory.verify(ALICE, b"alice-secret")
    text = file.read_text()
    file.write_text("users: [" if file.suffix == ".yaml" else "broken")
    with pytest.raises(ConfigError):
        await directory.reload()
    assert await directory.account(ALICE)
    file.write_text(text.replace("alice@", "anna@"))
    await directory.reload()
    assert await directory.account(ALICE) is None
    assert not await directory.verify(ALICE, b"alice-secret")
    assert await directory.verify("anna@example.org", b"alice-secret")


async def test_permissions_and_links_stay(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / f"link{file.suffix}"
    link.symlink_to(file.name)
    directory = StaticDirectory(StaticSpec(str(link)))
    before = file.stat()
    await StaticUsers(directory).edit(ALICE, AccountEdit(server="m9"))
    after = file.stat()
    assert link.is_symlink()
    assert after.st_ino != before.st_ino
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([file.name, link.name])


async def test_what_others_wrote_meanwhile_is_not_lost(file: Path) -> None:
    one, other = (StaticDirectory(StaticSpec(str(file))) for _ in range(2))
    await StaticUsers(one).edit(ALICE, AccountEdit(server="m9"))
    await StaticUsers(other).edit("bob@example.org", AccountEdit(quota_bytes=5))
    await one.reload()
    accounts = [await one.account(ALICE), await one.account("bob@example.org")]
    assert [account and (account.server, account.quota_bytes) for account in accounts] == [
        ("m9", 2**30),
        ("m2", 5),
    ]


async def test_a_change_that_fails_changes_nothing(file: Path) -> None:
    text = file.read_text()
    users = StaticUsers(StaticDirectory(StaticSpec(str(file))))
    with pytest.raises(ConfigError, match="belongs to"):
        await users.edit(ALICE, AccountEdit(add_addresses=("bob@example.org",)))
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_folder_that_is_gone(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    moved = file.rename(folder / file.name)
    users = StaticUsers(StaticDirectory(StaticSpec(str(moved))))
    moved.unlink()
    folder.rmdir()
    with pytest.raises(DirectoryRefused, match="cannot be written: No such file"):
        await users.delete(ALICE)


async def test_comments_and_style_of_yaml_stay(tmp_path: Path) -> None:
    file = tmp_path / "users.yaml"
    text = (
        "# Who is who.\nusers:\n  Alice@example.org:   # the boss\n"
        f'    password: "{HASH}"\n    aliases: ["a@example.org"]\n    quota: 2048MiB\n'
        "  bob@example.org: {server: m1}\n"
    )
    file.write_text(text)
    await StaticUsers(StaticDirectory(StaticSpec(str(file)))).edit(ALICE, AccountEdit(server="m2"))
    assert file.read_text() == text.replace("2048MiB\n", "2048MiB\n    server: m2\n")


async def test_other_entries_of_ldif_stay(tmp_path: Path) -> None:
    file = tmp_path / "users.ldif"
    file.write_text((LDAP / "seed.ldif").read_text())
    users = StaticUsers(StaticDirectory(StaticSpec(str(file))))
    await users.edit(ALICE, AccountEdit(status=Status.DISABLED))
    text = file.read_text()
    assert "dn: cn=director,ou=services,dc=example,dc=org" in text
    assert "l7lbaccountstatus: disabled" in text
    assert "departmentnumber: sales" in text


async def test_the_first_account_of_a_file(tmp_path: Path) -> None:
    yaml, ldif = tmp_path / "users.yaml", tmp_path / "users.ldif"
    yaml.write_text("")
    ldif.write_text("dn: dc=x\nobjectClass: domain\n")
    await StaticUsers(StaticDirectory(StaticSpec(str(yaml)))).add(Account("a@b"), b"new-secret")
    assert "a@b:" in yaml.read_text()
    with pytest.raises(DirectoryRefused, match="no account beside which"):
        await StaticUsers(StaticDirectory(StaticSpec(str(ldif)))).add(Account("a@b"), b"new-secret")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    server=st.none() | st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z0-9]", fullmatch=True),
    quota=st.integers(0, 2**62),
    disabled=st.booleans(),
    aliases=st.lists(st.from_regex(r"[a-z'#:{}&*!-]{1,9}@[a-z]{1,9}", fullmatch=True), unique=True),
)
def test_what_is_written_is_read(
    server: str | None, quota: int, disabled: bool, aliases: list[str]
) -> None:
    status = Status.DISABLED if disabled else Status.ACTIVE
    account = Account("x@y.test", tuple(aliases), server, quota, status, passwords=(HASH.encode(),))
    documents: tuple[Document, ...] = (
        YamlDocument("", "u"),
        LdifDocument(f"{ENTRY}mail: other@y.test\n", "u"),
    )
    for document in documents:
        document.put(account)
        again = type(document)(document.text(), "u").accounts["x@y.test"]
        assert sorted(again.addresses) == sorted(aliases)
        assert (again.server, again.quota_bytes, again.status) == (server, quota, status)
        assert again.passwords == account.passwords


async def test_the_loop_turns_while_another_process_holds_the_file(file: Path) -> None:
    folder = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    users = StaticUsers(StaticDirectory(StaticSpec(str(file))))
    changing = asyncio.create_task(users.edit(ALICE, AccountEdit(server="m9")))
    await turns()
    assert not changing.done()
    os.close(folder)
    await changing
    assert "m9" in file.read_text()


def test_ldif_gives_attributes_as_an_ldap_server_would() -> None:
    more = "departmentNumber: 7\nroomNumber: 1\nroomNumber: 2\njpegPhoto:: /9j/\n"
    text = f"{ENTRY}mail: a@y.test\n{more}"
    (account,) = LdifDocument(text, "u").accounts.values()
    assert account.attributes["departmentnumber"] == ("7",)
    assert account.attributes["roomnumber"] == ("1", "2")
    assert not {"jpegphoto", "mail", "userpassword"} & set(account.attributes)
