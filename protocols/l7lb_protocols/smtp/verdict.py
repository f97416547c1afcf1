"""One answer out of many: what the client is told when several servers had the message.

A pure function of each recipient's outcome. Never a silent loss: who is not delivered is refused to
the client, or kept in the spool, or reported to the sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from l7lb_protocols.smtp.replies import Reply, reply


class Status(Enum):
    DELIVERED = "delivered"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recipient's end with one server.

    `uncertain`: the end of the message was sent and no answer came: the server may have it, and a
    second try may deliver it twice (RFC 1047).
    """

    status: Status
    reply: Reply
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reply` goes to the client. `retry` and `report` are indices of recipients: keep the first
    in the spool, tell the sender (RFC 3464) of the second. All others are settled."""

    reply: Reply
    retry: tuple[int, ...] = ()
    report: tuple[int, ...] = ()


def status_of(answer: Reply) -> Status:
    """Of a final reply of a server. A 3xx says nothing that we could rely on: try again."""
    if answer.is_positive:
        return Status.DELIVERED
    return Status.PERMANENT if answer.is_permanent else Status.TEMPORARY


def outcome(answer: Reply) -> Outcome:
    return Outcome(status_of(answer), answer)


def judge(outcomes: Sequence[Outcome], *, spooled: bool = True) -> Verdict:
    """The verdict over all accepted recipients, in their order.

        delivered  temporary  permanent │ spooled                   not spooled
        all                             │ 250                       250
                   all                  │ 451                       451
                              all       │ 5xx                       5xx
        some       some                 │ 250, retry                451: some get it twice
        some                  some      │ 250, report               5xx: the sender must know
                   some       some      │ 250, retry, report        451
        some       some       some      │ 250, retry, report        451

    `spooled`: the message is on disk and safe. Raises ValueError when there is no outcome.
    """
    if not outcomes:
        raise ValueError("no recipient, no verdict")
    found = {status: _indices(outcomes, status) for status in Status}
    delivered, temporary, permanent = (found[status] for status in Status)
    if len(delivered) == len(outcomes):
        return Verdict(_same(outcomes) or reply(250, b"2.0.0", "delivered to all"))
    if len(permanent) == len(outcomes):
        return Verdict(_refused(outcomes, permanent))
    if len(temporary) == len(outcomes):
        return Verdict(_deferred(outcomes, temporary))
    if spooled:
        return Verdict(reply(250, b"2.0.0", "accepted"), temporary, permanent)
    if temporary:
        return Verdict(_deferred(outcomes, temporary))
    return Verdict(_refused(outcomes, permanent))


def _indices(outcomes: Sequence[Outcome], status: Status) -> tuple[int, ...]:
    return tuple(at for at, found in enumerate(outcomes) if found.status is status)


def _same(outcomes: Sequence[Outcome]) -> Reply | None:
    """What all servers said alike may be said as it is."""
    first = outcomes[0].reply
    return first if all(found.reply == first for found in outcomes) else None


def _refused(outcomes: Sequence[Outcome], permanent: Sequence[int]) -> Reply:
    """The first refusal's code; each reason on a line, without repeats."""
    replies = [outcomes[at].reply for at in permanent]
    first = replies[0]
    if len({answer.code for answer in replies}) == 1:
        enhanced = first.enhanced or b"5.0.0"
        return reply(first.code, enhanced, *dict.fromkeys(answer.text for answer in replies))
    return reply(550, b"5.0.0", *dict.fromkeys(answer.text for answer in replies))


def _deferred(outcomes: Sequence[Outcome], temporary: Sequence[int]) -> Reply:
    """Always 451: a server's 421 would tell the client that we close."""
    first = outcomes[temporary[0]].reply
    enhanced = first.enhanced if first.enhanced.startswith(b"4.") else b"4.0.0"
    return reply(451, enhanced, *dict.fromkeys(outcomes[at].reply.text for at in temporary))
