"""Mail servers to be started on one directory and one store: lockd, or each engine in turn."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.etcd_members import roomy, single
from support.mail_cluster import MailCluster


def on_lockd(folder: Path) -> Iterator[MailCluster]:
    made = MailCluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.close()


def on_etcd(folder: Path) -> Iterator[MailCluster]:
    with TemporaryDirectory(dir=roomy()) as data:
        member = single(Path(data) / "data")
        made = MailCluster(folder, etcd=member.url)
        try:
            member.start()
            made.start()
            yield made
        finally:
            made.close()
            member.kill()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MailCluster]:
    yield from on_lockd(tmp_path)


@pytest.fixture(params=[on_lockd, on_etcd], ids=["lockd", "etcd"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MailCluster]:
    yield from request.param(tmp_path)
