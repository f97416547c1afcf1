"""A short soak: load while the rules are reloaded, and servers and workers are killed."""

import pytest

from support.soak import run

SECONDS = 20
CLIENTS = 4
TUNNELS = 4
KILLED = SECONDS // 5 + SECONDS // 10
"""A server every five seconds, a worker every ten."""


@pytest.mark.timeout(120)
def test_nothing_is_lost_that_was_safe_to_ask_again() -> None:
    tally = run(SECONDS, CLIENTS)
    assert not tally.failures, f"logs in {tally.logs}"
    assert tally.done > SECONDS * CLIENTS, "too few requests to mean anything"
    assert set(tally.statuses) == {200}
    assert tally.tunnels >= TUNNELS
    assert tally.tunnels_cut <= TUNNELS * KILLED
    warm = tally.resident_kib[SECONDS // 4]
    assert warm > 0
    assert max(tally.resident_kib[SECONDS // 4 :]) <= warm * 1.2
