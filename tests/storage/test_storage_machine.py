"""The machine under random operations, against rules told a second time, and restored from disk."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from l7lb_storage.errors import (
    ConversionRefused,
    LeaseLost,
    LimitExceeded,
    NotGranted,
)
from l7lb_storage.limits import QUEUE_ENTRIES
from l7lb_storage.lock_table import Entry, LockTable
from l7lb_storage.lockd.disk import Disk, numbers, steps
from l7lb_storage.machine import Machine
from l7lb_storage.model import Check, Claim, Delete, Grant, Outcome, Put, Reset, Transaction
from l7lb_storage.modes import Mode, compatible
from l7lb_storage.operations import (
    Acquire,
    Blocking,
    CloseLease,
    Convert,
    Granted,
    LeaseGone,
    OpenLease,
    RaiseEpoch,
    ReadRange,
    Release,
    Remind,
    RenewLease,
    StartWatch,
    StopWatch,
    Transact,
    ViewLocks,
    Watched,
    Withdraw,
)

LEASES = st.integers(1, 3)
MODES = st.sampled_from(Mode)
KEYS = st.sampled_from(["a", "b", "c"])
TTL_S = 10.0


class Life(RuleBasedStateMachine):
    """What a client of the machine sees; it keeps its own books."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine()
        self.now_s = 0.0
        self.number = 0
        self.claims: dict[tuple[int, int], Claim] = {}
        self.grants: dict[tuple[int, int], Grant] = {}
        self.highest: defaultdict[tuple[str, Mode], int] = defaultdict(int)
        self.folder = tempfile.TemporaryDirectory()
        self.disk = Disk(Path(self.folder.name) / "kept")
        self.disk._connection.execute("PRAGMA synchronous = OFF")  # the power stays on here

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()

    def do(self, operation: object) -> object:
        try:
            return self.machine.apply(operation, self.now_s)  # type: ignore[arg-type]
        finally:
            self.keep()
            self.listen()

    def keep(self) -> None:
        batch = [steps(record) for record in self.machine.records]
        self.machine.records.clear()
        self.disk.commit([*batch, *numbers(self.machine.epoch, self.machine.revision)])

    def listen(self) -> None:
        told, self.machine.told = self.machine.told, []
        for news in told:
            if isinstance(news, Granted):
                self.grant((news.lease, news.number), news.grant)
            elif isinstance(news, LeaseGone):
                self.forget(news.lease)
            elif isinstance(news, Blocking):
                holder = self.grants[news.lease, news.number]
                assert not compatible(holder.mode, news.notice.mode)

    def grant(self, name: tuple[int, int], grant: Grant) -> None:
        resource = self.claims[name].resource
        for mode in Mode:
            if not compatible(mode, grant.mode):
                assert grant.token >= self.highest[resource, mode]
        highest = self.highest[resource, grant.mode]
        self.highest[resource, grant.mode] = max(grant.token, highest)
        self.grants[name] = grant

    def forget(self, lease: int) -> None:
        for books in (self.claims, self.grants):
            for name in [each for each in books if each[0] == lease]:
                del books[name]  # type: ignore[attr-defined]

    @rule(lease=LEASES)
    def open_lease(self, lease: int) -> None:
        self.do(OpenLease(lease, TTL_S, f"node{lease}"))

    @rule(lease=LEASES)
    def renew_lease(self, lease: int) -> None:
        try:
            self.do(RenewLease(lease))
        except LeaseLost:
            assert not any(name[0] == lease for name in self.claims)

    @rule(lease=LEASES)
    def close_lease(self, lease: int) -> None:
        self.do(CloseLease(lease))
        self.forget(lease)

    @rule(lease=LEASES, resource=st.sampled_from("rs"), mode=MODES, try_only=st.booleans())
    def acquire(self, lease: int, resource: str, mode: Mode, try_only: bool) -> None:
        self.number += 1
        claim = Claim(lease, self.number, resource, mode, f"node{lease}", 0.0)
        self.claims[claim.id] = claim
        try:
            found = self.do(Acquire(claim, try_only))
        except (NotGranted, LeaseLost):
            self.claims.pop(claim.id, None)
            return
        assert found is not None or not try_only
        if isinstance(found, Grant):
            self.grant(claim.id, found)

    @rule(data=st.data(), mode=MODES)
    def convert(self, data: st.DataObject, mode: Mode) -> None:
        if not self.grants:
            return
        name = data.draw(st.sampled_from(sorted(self.grants)))
        before = self.grants[name]
        try:
            found = self.do(Convert(*name, before.token, mode))
        except ConversionRefused:
            return
        assert isinstance(found, Grant)
        assert found.mode is mode
        self.grant(name, found)

    @rule(data=st.data(), wrong=st.booleans())
    def release(self, data: st.DataObject, wrong: bool) -> None:
        if not self.grants:
            return
        name = data.draw(st.sampled_from(sorted(self.grants)))
        token = self.grants[name].token
        assert self.do(Release(*name, token + 1)) is False
        if not wrong:
            assert self.do(Release(*name, token)) is True
            del self.grants[name]
            del self.claims[name]

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        if not self.claims:
            return
        name = data.draw(st.sampled_from(sorted(self.claims)))
        assert self.do(Withdraw(*name)) is True
        del self.claims[name]
        self.grants.pop(name, None)

    @rule(key=KEYS, value=st.binary(max_size=3), lease=st.integers(0, 3))
    def put(self, key: str, value: bytes, lease: int) -> None:
        try:
            self.do(Transact(Transaction(edits=(Put(key, value, lease),))))
        except LeaseLost:
            assert lease

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.do(Transact(Transaction(edits=(Delete(key),))))

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.machine.expire(self.now_s)
        self.keep()
        self.listen()

    @rule()
    def epoch(self) -> None:
        if self.machine.epoch < 100:
            self.do(RaiseEpoch(0))

    @rule()
    def restart(self) -> None:
        """From the disk alone comes the same machine."""
        before = self.seen()
        self.machine = Machine()
        self.machine.restore(self.disk.load(), self.now_s)
        assert self.seen() == before

    def seen(self) -> tuple[object, ...]:
        views = self.machine.apply(ViewLocks("", 1000), self.now_s)
        page = self.machine.apply(ReadRange("", "", 1000), self.now_s)
        return views, page, self.machine.epoch, self.machine.revision

    @invariant()
    def books_agree(self) -> None:
        views = self.machine.apply(ViewLocks("", 1000), self.now_s)
        assert isinstance(views, list)
        assert sum(view.granted for view in views) == len(self.grants)
        assert len(views) == len(self.claims)

    @invariant()
    def holders_are_compatible(self) -> None:
        held = [(self.claims[name].resource, grant.mode) for name, grant in self.grants.items()]
        for i, (resource, mode) in enumerate(held):
            for other, theirs in held[:i]:
                assert other != resource or compatible(mode, theirs)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


def ready(*leases: int) -> Machine:
    machine = Machine(history_limit=5)
    for lease in leases:
        machine.apply(OpenLease(lease, TTL_S, f"node{lease}"), 0.0)
    return machine


def claim(lease: int, number: int, mode: Mode = Mode.EX) -> Claim:
    return Claim(lease, number, "r", mode, "h", 0.0)


def test_repeated_requests_change_nothing() -> None:
    """lockd's client sends them again on a new connection."""
    machine = ready(1, 2)
    first = machine.apply(Acquire(claim(1, 1), False), 0.0)
    assert machine.apply(Acquire(claim(1, 1), False), 0.0) == first
    assert machine.apply(Acquire(claim(2, 1), False), 0.0) is None
    assert machine.apply(Acquire(claim(2, 1), False), 0.0) is None
    assert isinstance(first, Grant)
    weak = machine.apply(Convert(1, 1, first.token, Mode.PR), 0.0)
    assert machine.apply(Convert(1, 1, first.token, Mode.PR), 0.0) == weak
    assert machine.apply(OpenLease(1, 99, "again"), 0.0) == machine.apply(RenewLease(1), 0.0)
    assert machine.apply(Withdraw(2, 1), 0.0) is True
    strong = machine.apply(Convert(1, 1, first.token, Mode.EX), 0.0)
    assert isinstance(strong, Grant)
    assert machine.apply(Convert(1, 1, first.token, Mode.EX), 0.0) == strong
    assert machine.apply(Release(1, 1, first.token), 0.0) is True, "its answer was missed"
    assert machine.apply(Release(1, 1, first.token), 0.0) is False
    assert machine.apply(Withdraw(2, 1), 0.0) is False
    assert machine.apply(CloseLease(7), 0.0) is False


def test_unknown_leases_and_stale_conversions_are_refused() -> None:
    machine = ready(1)
    grant = machine.apply(Acquire(claim(1, 1), False), 0.0)
    assert isinstance(grant, Grant)
    for operation in (
        RenewLease(9),
        Acquire(claim(9, 1), False),
        Convert(1, 2, 1, Mode.PR),
        Convert(1, 1, grant.token + 1, Mode.PR),
        Transact(Transaction(edits=(Put("k", b"", 9),))),
    ):
        with pytest.raises(LeaseLost):
            machine.apply(operation, 0.0)


def test_reminder_is_for_holders() -> None:
    machine = ready(1, 2)
    machine.apply(Acquire(claim(1, 1), False), 0.0)
    machine.apply(Acquire(claim(2, 1), False), 0.0)
    machine.told.clear()
    assert machine.apply(Remind(1, 1), 0.0) is True
    assert [type(news) for news in machine.told] == [Blocking]
    assert machine.apply(Remind(2, 1), 0.0) is False
    assert machine.apply(Remind(9, 9), 0.0) is False


def test_leases_expire_when_due_and_grace_delays_it() -> None:
    machine = ready(1)
    machine.apply(OpenLease(2, 20, "later"), 0.0)
    assert machine.next_expiry_s() == TTL_S
    machine.grant_grace(5)
    machine.expire(14.9)
    machine.apply(RenewLease(1), 14.9)
    machine.expire(24.8)
    machine.apply(RenewLease(1), 24.8)
    with pytest.raises(LeaseLost):
        machine.apply(RenewLease(2), 25.0)
    assert LeaseGone(2) in machine.told


def test_nobody_who_dies_is_granted_on_the_way() -> None:
    """Two leases end together; what one held is not given to the other, nor to itself."""
    machine = ready(1, 2, 3)
    machine.apply(Acquire(claim(1, 1), False), 0.0)
    machine.apply(Acquire(claim(1, 2), False), 0.0)
    machine.apply(Acquire(claim(2, 1), False), 0.0)
    machine.apply(RenewLease(3), 5.0)
    machine.apply(Acquire(claim(3, 1), False), 5.0)
    machine.told.clear()
    machine.expire(10.0)
    assert [news.lease for news in machine.told if isinstance(news, Granted)] == [3]


def test_watchers_are_told_or_begin_anew() -> None:
    machine = ready()
    machine.apply(StartWatch(1, "w", None), 0.0, origin=7)
    for number in range(8):
        machine.apply(Transact(Transaction(edits=(Put(f"w{number}", b""),))), 0.0)
    told = [news for news in machine.told if isinstance(news, Watched)]
    assert [(news.origin, len(news.events)) for news in told] == [(7, 1)] * 9
    machine.told.clear()
    machine.apply(StartWatch(1, "w", 5), 0.0, origin=7)
    machine.apply(StartWatch(2, "w", 2), 0.0, origin=7)
    resumed, anew = machine.told
    assert isinstance(resumed, Watched)
    assert isinstance(anew, Watched)
    assert [event.revision for event in resumed.events] == [6, 7, 8]
    assert isinstance(anew.events[0], Reset)
    machine.told.clear()
    assert machine.apply(StopWatch(2), 0.0, origin=7) is True
    assert machine.apply(StopWatch(2), 0.0, origin=7) is False
    machine.forget_origin(7)
    machine.apply(Transact(Transaction(edits=(Put("w", b""),))), 0.0)
    assert not machine.told


def test_checks_that_fail_change_nothing() -> None:
    machine = ready()
    machine.apply(Transact(Transaction(edits=(Put("a", b"1"),))), 0.0)
    revision = machine.revision
    transaction = Transaction((Check("a", 99),), (Put("a", b"2"), Delete("b")))
    assert machine.apply(Transact(transaction), 0.0) == Outcome(False, revision)
    assert machine.revision == revision


def test_queues_are_bounded() -> None:
    table = LockTable()
    for number in range(QUEUE_ENTRIES):
        table.add(Entry(claim(1, number, Mode.NL), number, number))
    with pytest.raises(LimitExceeded):
        table.add(Entry(claim(1, QUEUE_ENTRIES, Mode.NL), 0, 0))
    assert len(table) == QUEUE_ENTRIES
