"""Sizes of accounts for a plan."""

from __future__ import annotations

from l7lb.mail.migration.rebalance import Resident
from l7lb.mail.migration.residents import survey
from l7lb.mail.traffic import PER_DAY, Use
from l7lb.model_migration import MailStorageSpec
from support.mail_places import ALICE, MailCluster


async def test_accounts_with_a_server_and_their_sizes(cluster: MailCluster) -> None:
    cluster.fill("m1")
    files = [path for path in cluster.maildir("m1").rglob("*") if path.is_file()]
    size = sum(p.stat().st_size for p in files if p.parent.name != "tmp" and p.suffix != ".lock")
    seen: list[int] = []

    uses = {ALICE: Use(1000.0, 10.0, 20.0), "gone@example.org": Use(5.0)}
    found = await survey(cluster.editor, cluster.storage, seen.append, uses)
    alice, bob = sorted(found.residents, key=lambda each: each.account)
    assert found.problems == {}
    assert alice == Resident(ALICE, "m1", size, 693, 10 * PER_DAY, 20 * PER_DAY)
    assert bob == Resident("bob@example.org", "m2", 0)
    assert seen == [1, 2]


async def test_who_cannot_be_measured_is_told_and_stops_nobody(cluster: MailCluster) -> None:
    storage = MailStorageSpec(roots=(("m1", cluster.storage.path),))
    found = await survey(cluster.editor, storage, lambda count: None, {})
    assert [each.account for each in found.residents] == [ALICE]
    assert "server m2" in found.problems["bob@example.org"]
    cluster.fill("m1")
    (cluster.maildir("m1") / "cur" / "link").symlink_to("/nonexistent")
    found = await survey(cluster.editor, storage, lambda count: None, {})
    assert "neither a file nor a directory" in found.problems[ALICE]
