"""One of each message that lockd and its clients exchange."""

from __future__ import annotations

from l7lb_storage.errors import LeaseLost, NotGranted
from l7lb_storage.machine import Answer
from l7lb_storage.model import (
    Changed,
    Check,
    Claim,
    Delete,
    Grant,
    Item,
    Lease,
    LockView,
    Notice,
    Outcome,
    Page,
    Put,
    Reset,
    Transaction,
)
from l7lb_storage.modes import Mode
from l7lb_storage.operations import (
    Acquire,
    Blocking,
    CloseLease,
    Convert,
    Granted,
    LeaseGone,
    OpenLease,
    Operation,
    RaiseEpoch,
    ReadKey,
    ReadRange,
    Release,
    Remind,
    RenewLease,
    StartWatch,
    StopWatch,
    Told,
    Transact,
    ViewLocks,
    Watched,
    Withdraw,
)

CLAIM = Claim(1 << 61, 4, "user/ä", Mode.PW, "node", 1795535093.25)
ITEM = Item("k", b"\x00\xff", 3, 9, 7)
VIEW = LockView("r", Mode.EX, "node", 1 << 49, True, 1.5, 3)
OPERATIONS: tuple[Operation, ...] = (
    OpenLease(1, 15.0, "node"),
    RenewLease(1),
    CloseLease(1),
    Acquire(CLAIM, True),
    Withdraw(1, 2),
    Convert(1, 2, 3, Mode.CR),
    Release(1, 2, 3),
    Remind(1, 2),
    ViewLocks("", 10),
    ReadKey("k"),
    ReadRange("a/", "a/b", 10),
    Transact(Transaction((Check("k", 0),), (Put("k", b"v", 3), Delete("l")))),
    StartWatch(1, "w/", None),
    StartWatch(1, "w/", 8),
    StopWatch(1),
    RaiseEpoch(None),
    RaiseEpoch(4),
)
REPLIES: tuple[Answer | LeaseLost | NotGranted, ...] = (
    None,
    True,
    False,
    5,
    Lease(1, 15.0),
    Grant(Mode.NL, 1 << 62),
    Outcome(False, 4),
    ITEM,
    Page((ITEM, ITEM), 9, True),
    Page((), 9, False),
    [],
    [VIEW, VIEW],
    LeaseLost("gone"),
    NotGranted("busy"),
)
TOLD: tuple[Told, ...] = (
    Granted(1, 2, Grant(Mode.EX, 3)),
    Blocking(1, 2, Notice("r", "node", Mode.EX)),
    LeaseGone(1),
    Watched(4, 5, (Changed("k", ITEM, 9), Changed("k", None, 10))),
    Watched(4, 5, (Reset((ITEM,), 9),)),
)
