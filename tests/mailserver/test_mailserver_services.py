"""The parts of a process, opened and closed together."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7lb.accounts import Status
from l7lb.errors import ConfigError
from l7lb.mailserver.process import services_of
from l7lb.mailserver.services import Services
from l7lb.mailserver.spec import ServerSpec
from l7lb_storage import Unavailable
from support.mail_cluster import ALIAS, USERS, MailCluster


def spec_of(cluster: MailCluster, accounts: str = "accounts.yaml") -> ServerSpec:
    store = f"unix:{cluster.socket}"
    return ServerSpec("a", cluster.root, cluster.folder / accounts, store, {"imap": 0})


async def test_they_work_together(cluster: MailCluster) -> None:
    async with services_of(spec_of(cluster)) as services:
        assert isinstance(services, Services)
        account = await services.door.directory.recipient(ALIAS)
        assert account is not None
        assert (account.name, account.status) == (USERS[1], Status.ACTIVE)
        await services.deliverer.deliver(account.name, b"a: b\r\n\r\n")
        assert len(list((cluster.maildir(USERS[1]) / "new").iterdir())) == 1


async def test_a_store_that_is_away_is_told(cluster: MailCluster, tmp_path: Path) -> None:
    assert cluster.lockd is not None
    cluster.lockd.end()
    cluster.lockd = None
    with pytest.raises(Unavailable):
        async with services_of(spec_of(cluster)):
            pass


async def test_a_broken_file_of_accounts_is_told(cluster: MailCluster) -> None:
    (cluster.folder / "broken.yaml").write_text("users: [")
    with pytest.raises(ConfigError):
        async with services_of(spec_of(cluster, "broken.yaml")):
            pass
