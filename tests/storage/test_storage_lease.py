"""The holder's own deadline, pauses and doubts: arithmetic."""

from __future__ import annotations

import pytest

from l7lb_storage import tokens
from l7lb_storage.clock import BootClock, ManualClock
from l7lb_storage.errors import LimitExceeded
from l7lb_storage.lease import Term


def test_deadline_counts_from_when_the_renewal_was_sent() -> None:
    term = Term(ttl_s=10, sent_s=100, beat_s=108)
    assert term.deadline_s == 109
    assert term.is_valid(108.9)
    assert not term.is_valid(109)
    later = term.renewed(105)
    assert later.deadline_s == 114
    assert later.renewed(103).deadline_s == 114


def test_renewal_is_due_each_third() -> None:
    term = Term(ttl_s=9, sent_s=100, beat_s=100)
    assert not term.is_due(102.9)
    assert term.is_due(103)


def test_pause_is_seen_before_the_loop_wakes() -> None:
    """A thread, or code that runs before the heart does, must see it too."""
    term = Term(ttl_s=8, sent_s=100, beat_s=100)
    assert term.is_valid(102)
    assert not term.is_valid(102.1)


def test_pause_is_doubt_until_read_again() -> None:
    term = Term(ttl_s=8, sent_s=100, beat_s=100).beat(103)
    assert not term.is_valid(103)
    assert term.is_due(103)
    assert not term.beat(103.5).is_valid(103.5)
    assert not term.renewed(102.9).is_valid(103), "sent before the pause was over"
    assert term.renewed(103).is_valid(103)


def test_nothing_brings_back_what_is_over() -> None:
    term = Term(ttl_s=8, sent_s=100, beat_s=107)
    assert term.is_over(107.2)
    assert not term.is_over(107.1)


def test_clocks() -> None:
    clock = ManualClock(5)
    clock.advance(2)
    assert clock.now() == 7
    boot = BootClock()
    assert boot.now() <= boot.now()


def test_tokens_compare_by_epoch_then_revision() -> None:
    assert tokens.compose(1, 5) < tokens.compose(1, 6) < tokens.compose(2, 0)
    token = tokens.compose(tokens.EPOCH_MAX, (1 << 48) - 1)
    assert token < 1 << 63
    assert (tokens.epoch_of(token), tokens.revision_of(token)) == (tokens.EPOCH_MAX, (1 << 48) - 1)


@pytest.mark.parametrize(("epoch", "revision"), [(0, 1), (1 << 15, 1), (1, 1 << 48), (1, -1)])
def test_tokens_never_wrap(epoch: int, revision: int) -> None:
    with pytest.raises(LimitExceeded):
        tokens.compose(epoch, revision)


def test_epochs_grow() -> None:
    assert tokens.raised(3, 0) == 4
    assert tokens.raised(3, 9) == 9
    with pytest.raises(LimitExceeded):
        tokens.raised(tokens.EPOCH_MAX, 0)
