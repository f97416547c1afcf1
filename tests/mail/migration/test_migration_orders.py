"""What an order means beside what the store has of the account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l7lb.accounts import Account
from l7lb.errors import MigrationRefused
from l7lb.mail.migration.orders import Order, abortable, agreed
from l7lb.mail.migration.record import Record, Step

NAME = "a@b"
AT = {server: Account(NAME, server=server) for server in ("m1", "m2", "m3")}
BEGUN = Record(NAME, "m1", "m2", 1.0)
DONE = replace(BEGUN, step=Step.DONE)


def test_a_new_one_is_from_where_the_account_is() -> None:
    assert agreed(Order(NAME, "m2"), AT["m1"], None, 1.0) == BEGUN
    nowhere = Account(NAME)
    assert agreed(Order(NAME, "m2", "m1"), nowhere, None, 1.0) == BEGUN


def test_servers_of_earlier_ones_are_remembered() -> None:
    """m1 → m2 → m3 → m1 within the time of one cache."""
    second = agreed(Order(NAME, "m3"), AT["m2"], DONE, 2.0)
    assert (second.source, second.left) == ("m2", ("m1",))
    third = agreed(Order(NAME, "m1"), AT["m3"], replace(second, step=Step.DONE), 3.0)
    assert (third.source, third.target, third.left) == ("m3", "m1", ("m2",))
    back = agreed(Order(NAME, "m1"), AT["m2"], DONE, 2.0)
    assert back.left == ()


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.DONE])
def test_what_was_begun_goes_on(step: Step) -> None:
    found = replace(BEGUN, step=step)
    for order in (Order(NAME), Order(NAME, "m2")):
        for server in ("m1", "m2"):
            assert agreed(order, AT[server], found, 9.0) == found
    with pytest.raises(MigrationRefused, match="from m1 to m2: go on with that, or abort it"):
        agreed(Order(NAME, "m3"), AT["m1"], found, 9.0)


def test_what_is_done_is_not_done_again() -> None:
    assert agreed(Order(NAME, "m2"), AT["m2"], DONE, 9.0) == DONE
    with pytest.raises(MigrationRefused, match="is on m3 already"):
        agreed(Order(NAME, "m3"), AT["m3"], DONE, 9.0)


def test_abort_only_before_the_switch() -> None:
    assert abortable(AT["m1"], BEGUN) == BEGUN
    switching = replace(BEGUN, step=Step.SWITCHING)
    assert abortable(AT["m1"], switching) == switching
    for server, found in (("m2", switching), ("m1", replace(BEGUN, step=Step.SWITCHED))):
        with pytest.raises(MigrationRefused, match="resume, not abort"):
            abortable(AT[server], found)
    for found in (None, DONE):
        with pytest.raises(MigrationRefused, match="no migration"):
            abortable(AT["m1"], found)
