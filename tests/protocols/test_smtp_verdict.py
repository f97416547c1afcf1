"""One answer out of many: nobody is lost, whoever fails."""

from __future__ import annotations

import itertools

import pytest

from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.verdict import Outcome, Status, Verdict, judge, outcome, status_of

GOOD = outcome(reply(250, b"2.0.0", "ok"))
LATER = outcome(reply(452, b"4.2.2", "mailbox full"))
CLOSING = outcome(reply(421, b"4.3.2", "bye"))
NEVER = outcome(reply(550, b"5.1.1", "no such user"))
TOO_LARGE = outcome(reply(552, b"5.3.4", "too large"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (250, Status.DELIVERED),
        (251, Status.DELIVERED),
        (354, Status.TEMPORARY),
        (421, Status.TEMPORARY),
        (599, Status.PERMANENT),
    ],
)
def test_status(code: int, status: Status) -> None:
    assert status_of(reply(code, b"", "x")) is status


@pytest.mark.parametrize(
    ("ends", "spooled", "plain"),
    [
        ((GOOD,), (250, (), ()), (250, (), ())),
        ((GOOD, GOOD), (250, (), ()), (250, (), ())),
        ((LATER, LATER), (451, (), ()), (451, (), ())),
        ((CLOSING,), (451, (), ()), (451, (), ())),
        ((NEVER, NEVER), (550, (), ()), (550, (), ())),
        ((TOO_LARGE,), (552, (), ()), (552, (), ())),
        ((TOO_LARGE, NEVER), (550, (), ()), (550, (), ())),
        ((GOOD, LATER), (250, (1,), ()), (451, (), ())),
        ((NEVER, GOOD), (250, (), (0,)), (550, (), ())),
        ((LATER, NEVER), (250, (0,), (1,)), (451, (), ())),
        ((NEVER, GOOD, LATER, LATER), (250, (2, 3), (0,)), (451, (), ())),
    ],
)
def test_table(
    ends: tuple[Outcome, ...],
    spooled: tuple[int, tuple[int, ...], tuple[int, ...]],
    plain: tuple[int, tuple[int, ...], tuple[int, ...]],
) -> None:
    def told(verdict: Verdict) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        return verdict.reply.code, verdict.retry, verdict.report

    assert told(judge(ends)) == spooled
    assert told(judge(ends, spooled=False)) == plain


@pytest.mark.parametrize("spooled", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_nobody_is_lost(count: int, spooled: bool) -> None:
    """After 250 everybody is delivered, kept or reported; without it the client keeps the mail."""
    for ends in itertools.product((GOOD, LATER, CLOSING, NEVER, TOO_LARGE), repeat=count):
        verdict = judge(ends, spooled=spooled)
        owed = {at for at, end in enumerate(ends) if end.status is not Status.DELIVERED}
        if verdict.reply.is_positive:
            assert set(verdict.retry) | set(verdict.report) == owed
            assert not set(verdict.retry) & set(verdict.report)
            assert spooled or not owed
            assert all(ends[at].status is Status.TEMPORARY for at in verdict.retry)
        else:
            assert owed
            assert not verdict.retry + verdict.report
            temporary = any(ends[at].status is Status.TEMPORARY for at in owed)
            assert verdict.reply.is_temporary is temporary
            assert verdict.reply.code != 421


def test_words() -> None:
    assert judge([GOOD, GOOD]).reply == GOOD.reply
    assert judge([GOOD, outcome(reply(250, b"2.1.5", "x"))]).reply.text == b"delivered to all"
    assert judge([LATER, CLOSING, LATER]).reply == Reply(451, (b"mailbox full", b"bye"), b"4.2.2")
    assert judge([NEVER, NEVER]).reply == NEVER.reply
    assert judge([outcome(reply(550, b"", "x"))]).reply == Reply(550, (b"x",), b"5.0.0")
    assert judge([NEVER, TOO_LARGE]).reply.lines == (b"no such user", b"too large")


def test_a_server_down_is_temporary_whatever_it_said() -> None:
    refused = Outcome(Status.TEMPORARY, reply(554, b"5.3.2", "no service"))
    assert judge([refused]).reply == Reply(451, (b"no service",), b"4.0.0")


def test_no_recipient() -> None:
    with pytest.raises(ValueError, match="no recipient"):
        judge([])
