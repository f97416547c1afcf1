"""A short torture: every trouble once, few accounts; what is true of it must be true of all."""

from __future__ import annotations

import pytest

from support.torture import Effort, run_in_a_folder
from support.torture_troubles import KINDS

ACCOUNTS = 8


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_and_the_stale_are_refused() -> None:
    effort = Effort(each_once=True, clients=6, seed=7)
    report = run_in_a_folder(effort, accounts=ACCOUNTS, ttl_s=4.0, director_s=4.0)
    shown = report.shown(effort)
    assert report.faults == [], shown
    assert report.complaints == [], shown
    assert report.refused_by_token > 0, shown
    assert report.troubles.keys() == KINDS.keys(), shown
    for operation in ("Delivery", "FlagChange", "Removal", "Append", "Copy", "Move"):
        assert report.operations[f"{operation} acknowledged"] > 0, shown
