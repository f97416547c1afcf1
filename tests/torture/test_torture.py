"""A short torture: every trouble once, few accounts; what is true of it must be true of all."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.etcd_members import roomy
from support.torture import Effort, run
from support.torture_cluster import Plan
from support.torture_troubles import KINDS

ACCOUNTS = 8
TROUBLES = 4
"""On each of the two lines."""


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_and_the_stale_are_refused() -> None:
    effort = Effort(troubles=TROUBLES, clients=6, seed=7)
    with TemporaryDirectory(dir=roomy()) as folder:
        report = run(Plan(Path(folder), ACCOUNTS, ttl_s=4.0), effort)
    shown = report.shown(effort)
    assert report.faults == [], shown
    assert report.complaints == [], shown
    assert report.refused_by_token > 0, shown
    assert report.troubles.keys() == KINDS.keys(), shown
    for operation in ("Delivery", "FlagChange", "Removal"):
        assert report.operations[f"{operation} acknowledged"] > 0, shown
