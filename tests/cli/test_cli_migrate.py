"""`l7lb migrate` and `l7lb rebalance` on lockd, a static directory and two servers' storage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import pytest

from l7lb.cli import migrating
from l7lb.cli.main import main
from l7lb.cli.migrate import told
from l7lb.cli.migrating import store_of
from l7lb.cli.rebalance import table, weights_of
from l7lb.errors import MigrationRefused
from l7lb.mail import roll
from l7lb.mail.assignments import Assignment, decode, store_key
from l7lb.mail.migration import placing
from l7lb.mail.migration.migration import Migration
from l7lb.mail.migration.orders import Order
from l7lb.mail.migration.rebalance import Move, Resident
from l7lb.mail.migration.record import Record, Sum
from l7lb.mail.roll import Member
from l7lb.model import ClusterSpec, DirectorSpec, ServiceSpec
from l7lb.model_store import EtcdStore, LockdStore
from l7lb_storage import Store
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress
from support.lockd_process import LockdProcess
from support.mail_places import ALICE, Held, MailCluster, held

CAROL = "carol@example.org"
RULES = """\
pools: {{mail: {{servers: [{{name: m1, address: "10.0.0.1:143"}}, \
{{name: m2, address: "10.0.0.2:143"}}]}}}}
directory: {{static: users.yaml}}
store: {{lockd: "unix:{socket}"}}
mail: {{storage: {{path: "{path}", fence: home}}}}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lockd(tmp_path: Path) -> Iterator[LockdProcess]:
    folder = tmp_path / "lockd"
    folder.mkdir()
    process = LockdProcess(folder)
    with asyncio.Runner() as runner:
        runner.run(process.start())
        yield process
        runner.run(process.close())


@pytest.fixture
def cluster(tmp_path: Path) -> MailCluster:
    return MailCluster(tmp_path)


@pytest.fixture
def rules(lockd: LockdProcess, cluster: MailCluster) -> Path:
    file = cluster.folder / "cluster.yaml"
    file.write_text(RULES.format(socket=lockd.socket, path=cluster.storage.path))
    return file


@pytest.fixture
def run(rules: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_verb(verb: str, *words: str) -> tuple[int, str, str]:
        try:
            code = main([verb, str(rules), *words])
        except SystemExit as stop:
            code = int(str(stop.code))
        found = capsys.readouterr()
        return code, found.out, found.err

    return run_verb


def assigned(lockd: LockdProcess) -> Assignment | None:
    """In the directors' table."""

    async def ask() -> Assignment | None:
        engine = LockdEngine(LockdAddress(lockd.socket))
        await engine.open()
        item = await Store(engine).get(store_key("mail", ALICE))
        await engine.close()
        found = None if item is None else decode(item.value)
        return None if found is None else replace(found, hold_until_s=0.0)

    return asyncio.run(ask())


def test_there_and_clean(run: Run, cluster: MailCluster, lockd: LockdProcess) -> None:
    before = cluster.fill("m1")
    code, out, err = run("migrate", ALICE, "--to", "m2", "--rate", "100MiB")
    assert (code, err) == (0, "")
    assert out.startswith(f"{ALICE}: m1 → m2, 4 messages, ")
    assert held(cluster.maildir("m2")) == before
    assert "server: m2" in cluster.users.read_text().partition("bob")[0]
    assert run("migrate", ALICE, "--to", "m2") == (0, out, "")
    assert run("migrate", "--clean") == (0, "", "")
    assert assigned(lockd) == Assignment("m2", 0.0, 1)


def test_resume_and_abort_where_there_is_nothing(run: Run) -> None:
    for word in ("--resume", "--abort"):
        code, out, err = run("migrate", ALICE, word)
        assert (code, out) == (1, "")
        assert err.startswith("l7lb migrate: no migration of ")


def test_what_is_wrong_is_said(run: Run, rules: Path) -> None:
    assert run("migrate", ALICE)[0] == 2
    assert run("migrate", "--to", "m2")[0] == 2
    assert run("migrate", ALICE, "--clean")[0] == 2
    assert run("migrate", ALICE, "--to", "m2", "--abort")[0] == 2
    assert run("migrate", ALICE, "--to", "m2", "--rate", "fast")[0] == 2
    code, _, err = run("migrate", "nobody@example.org", "--to", "m2")
    assert (code, err) == (1, "l7lb migrate: no account nobody@example.org\n")
    rules.write_text("directory: {static: users.yaml}")
    code, _, err = run("migrate", ALICE, "--to", "m2")
    assert (code, err.endswith("must name directory, store and mail.storage\n")) == (1, True)
    rules.write_text("nonsense: 1")
    assert run("migrate", ALICE, "--to", "m2")[0] == 2


def test_rebalance_proposes_and_does(run: Run, cluster: MailCluster) -> None:
    """Of two accounts on one server, one goes to the other."""
    text = cluster.users.read_text()
    cluster.users.write_text(text.replace("server: m2", "server: m1"))
    mail = {name: cluster.fill("m1", name) for name in (ALICE, "bob@example.org")}
    code, out, err = run("rebalance")
    assert (code, err) == (0, "")
    head, row = out.splitlines()
    assert head.split()[:5] == ["ACCOUNT", "FROM", "TO", "BYTES", "TRAFFIC/d"]
    account, source, target, *_ = row.split()
    assert (source, target) == ("m1", "m2")
    assert held(cluster.maildir("m2", account)) == []
    code, out, err = run("rebalance", "--apply", "--limit", "5", "--rate", "100MiB")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith(f"{account}: m1 → m2, 4 messages")
    assert held(cluster.maildir("m2", account)) == mail[account]
    assert run("rebalance") == (0, "nothing to move\n", "")


def test_rebalance_needs_a_pool(run: Run) -> None:
    code, _, err = run("rebalance", "--pool", "web")
    assert (code, err) == (1, "l7lb rebalance: no pool web; there are mail\n")
    with pytest.raises(MigrationRefused, match="say which pool with --pool; there are none"):
        weights_of(ClusterSpec({}, {}), "")


def test_a_store_that_is_away(run: Run, rules: Path, lockd: LockdProcess) -> None:
    rules.write_text(rules.read_text().replace(str(lockd.socket), "/nonexistent/socket"))
    code, _, err = run("migrate", ALICE, "--to", "m2")
    assert code == 1
    assert err.startswith("l7lb migrate: ")


def test_without_a_store_it_is_that_of_the_director_of_this_host() -> None:
    imap = ServiceSpec("imap", "imap", (), ())
    director = DirectorSpec(state="/var/lib/x")
    assert store_of(ClusterSpec({}, {"imap": imap}, director)) == LockdStore(
        "unix:/var/lib/x/lockd/lockd.sock"
    )
    named = EtcdStore(("http://a",))
    assert store_of(ClusterSpec({}, {"imap": imap}, director, store=named)) == named
    assert store_of(ClusterSpec({}, {}, director)) is None


def test_what_is_told_is_safe_on_a_terminal() -> None:
    record = Record("a\x1b@b", "m1", "m2", 1.0, sum=Sum(1, 2, "ab"))
    assert told(record) == "a?@b: m1 → m2, 1 messages, 2 bytes"
    [_, row] = table([Move(Resident("a\x1b@b", "m1", 2_000_000, 30_000_000, 7.0, 0.2), "m2")])
    assert row.split() == ["a?@b", "m1", "m2", "2M", "30M", "7", "0"]
    assert migrating.printable("\x1b") == "?"


def three_on_m1(cluster: MailCluster) -> dict[str, Held]:
    text = cluster.users.read_text().replace("server: m2", "server: m1")
    secret = '    password: "{SSHA}WSqMEG+bYdz+TVwXxWCbStAQWfVmjyae"\n'
    cluster.users.write_text(text + "    server: m1\n  dora@example.org:\n" + secret)
    return {name: cluster.fill("m1", name) for name in (ALICE, "bob@example.org", CAROL)}


def test_one_that_cannot_move_stops_nobody(run: Run, cluster: MailCluster) -> None:
    """It is told at the end, and the next run does what is left."""
    mail = three_on_m1(cluster)
    for name in mail:
        cluster.fill("m2", name)
    code, out, err = run("rebalance", "--pool", "mail")
    assert (code, err) == (0, "")
    planned = [line.split()[0] for line in out.splitlines()[1:]]
    assert planned
    code, out, err = run("rebalance", "--apply")
    assert code == 1
    *told_of, last = err.splitlines()
    assert [line.split()[2].rstrip(":") for line in told_of] == planned
    assert all("there is mail in" in line for line in told_of)
    assert last == "l7lb rebalance: the same command goes on with what is left"
    for name in mail:
        rmtree(cluster.home("m2", name))
    code, out, err = run("rebalance", "--apply")
    assert (code, err) == (0, "")
    for name in planned:
        assert held(cluster.maildir("m2", name)) == mail[name]


def test_what_was_begun_is_finished_first(
    run: Run, cluster: MailCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = three_on_m1(cluster)
    with monkeypatch.context() as patch:

        def fails(*words: object) -> None:
            raise OSError("no space left")

        patch.setattr(placing, "install", fails)
        code, _, err = run("migrate", CAROL, "--to", "m2")
        assert (code, err) == (1, "l7lb migrate: no space left\n")
    code, out, err = run("rebalance")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"{CAROL}: m1 → m2 was begun, and is switching"
    assert CAROL not in out.partition("\n")[2]
    code, out, err = run("rebalance", "--apply", "--limit", "0")
    assert (code, err) == (0, "")
    assert held(cluster.maildir("m2", CAROL)) == mail[CAROL]


def test_without_a_store_the_others_are_not_tried(
    run: Run, cluster: MailCluster, lockd: LockdProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_on_m1(cluster)
    migrate = Migration.run

    async def cut(migration: Migration, order: Order) -> Record:
        assert lockd.process is not None
        lockd.process.kill()
        return await migrate(migration, order)

    monkeypatch.setattr(Migration, "run", cut)
    code, out, err = run("rebalance", "--pool", "mail", "--apply")
    assert code == 1
    assert out.splitlines()[0].startswith("ACCOUNT")
    assert not any("→" in line for line in out.splitlines())
    assert err.count("\n") == out.count("\n")


def test_who_cannot_be_measured_is_told(run: Run, cluster: MailCluster) -> None:
    three_on_m1(cluster)
    (cluster.maildir("m1") / "cur" / "link").symlink_to("/nonexistent")
    code, out, err = run("rebalance")
    assert code == 1
    assert err.startswith(f"l7lb rebalance: {ALICE}: not measured: ")
    assert ALICE not in out


def test_who_has_not_answered_is_named_and_can_be_ignored(
    run: Run, cluster: MailCluster, lockd: LockdProcess
) -> None:
    cluster.fill("m1")

    async def enrol() -> None:
        engine = LockdEngine(LockdAddress(lockd.socket))
        await engine.open()
        await roll.enrol(Store(engine), Member("d1:/state", "1.2.3"), lambda process: True)
        await engine.close()

    asyncio.run(enrol())
    code, _, err = run("migrate", ALICE, "--to", "m2", "--wait", "4s")
    assert code == 1
    assert "d1:/state has not answered" in err
    assert run("migrate", ALICE, "--resume", "--ignore", "d2", "--ignore", "d1")[0] == 0
