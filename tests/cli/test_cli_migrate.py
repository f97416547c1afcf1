"""`l7lb migrate` and `l7lb rebalance` on lockd, a static directory and two servers' storage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.cli import migrating
from l7lb.cli.main import main
from l7lb.cli.migrate import told
from l7lb.cli.migrating import store_of
from l7lb.cli.rebalance import table, weights_of
from l7lb.errors import MigrationRefused
from l7lb.mail.assignments import Assignment, decode, store_key
from l7lb.mail.migration.rebalance import Move
from l7lb.mail.migration.record import Record, Sum
from l7lb.model import ClusterSpec, DirectorSpec, ServiceSpec
from l7lb.model_store import EtcdStore, LockdStore
from l7lb_storage import Store
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress
from support.lockd_process import LockdProcess
from support.mail_places import ALICE, MailCluster, held

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
    assert head.split() == ["ACCOUNT", "FROM", "TO", "BYTES"]
    account, source, target, _ = row.split()
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
    assert table([Move("a\x1b@b", "m1", "m2", 2_000_000)])[1].split() == ["a?@b", "m1", "m2", "2M"]
    assert migrating.printable("\x1b") == "?"
