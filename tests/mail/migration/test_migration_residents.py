"""Sizes of accounts for a plan."""

from __future__ import annotations

import pytest

from l7lb.errors import MigrationError
from l7lb.mail.migration.rebalance import Resident
from l7lb.mail.migration.residents import residents
from l7lb.model_migration import MailStorageSpec
from support.mail_places import ALICE, MailCluster


async def test_accounts_with_a_server_and_their_sizes(cluster: MailCluster) -> None:
    cluster.fill("m1")
    files = [path for path in cluster.maildir("m1").rglob("*") if path.is_file()]
    size = sum(p.stat().st_size for p in files if p.parent.name != "tmp" and p.suffix != ".lock")
    seen: list[int] = []

    async def traffic(account: str) -> int:
        return len(account)

    found = await residents(cluster.editor, cluster.storage, seen.append, traffic)
    assert sorted(found, key=lambda each: each.account) == [
        Resident(ALICE, "m1", size, len(ALICE)),
        Resident("bob@example.org", "m2", 0, len("bob@example.org")),
    ]
    assert seen == [1, 2]
    assert all(not each.traffic_bytes for each in await residents(
        cluster.editor, cluster.storage, seen.append
    ))  # fmt: skip


async def test_a_server_without_storage_is_told_with_the_account(cluster: MailCluster) -> None:
    storage = MailStorageSpec(roots=(("m1", cluster.storage.path),))
    with pytest.raises(MigrationError, match=r"bob@example\.org: .* server m2"):
        await residents(cluster.editor, storage, lambda count: None)
