"""One lockd, with two mail servers on it: `a` and `b`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.mail_cluster import MailCluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MailCluster]:
    made = MailCluster(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.close()
