"""What the store keeps of a migration reads back as it was, or is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.errors import MigrationRefused
from l7lb.mail.migration import record as records
from l7lb.mail.migration.ledger import Ledger, retired
from l7lb.mail.migration.record import Record, Retired, Step, Sum
from l7lb_storage import MemoryEngine, Put, Store

TEXT = st.text(min_size=1, max_size=20)
RECORDS = st.builds(
    Record,
    account=TEXT,
    source=TEXT,
    target=TEXT,
    started_s=st.floats(0, 4e9),
    step=st.sampled_from(Step),
    left=st.lists(TEXT).map(tuple),
    sum=st.builds(Sum, st.integers(0), st.integers(0), st.text("0123456789abcdef")),
)


@given(RECORDS)
def test_records_read_back(record: Record) -> None:
    assert records.decoded(record.encoded()) == record


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b'{"sum": 1}',
        b'{"sum": {}, "step": "gone"}',
        b'{"sum": {}, "step": "done"}',
    ],
)
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(MigrationRefused, match="cannot be read"):
        records.decoded(value)
    with pytest.raises(MigrationRefused, match="cannot be read"):
        records.decoded_retired(value)


def test_the_stamp_stands_in_file_names_and_stays() -> None:
    record = Record("a@b", "m1", "m2", 1_700_000_000.25)
    assert record.stamp == "20231114T221320.250000"
    assert records.decoded(record.encoded()).stamp == record.stamp


def test_who_remembers_the_server_before_is_sent_to_the_new_one() -> None:
    record = Record("a@b", "m1", "m2", 1.0, left=("m0",))
    for step in Step:
        at_step = replace(record, step=step)
        is_new = step in (Step.SWITCHED, Step.DONE)
        for old in ("m1", "m0"):
            assert at_step.home(old) == ("m2" if is_new else old)
        assert [at_step.home(other) for other in ("m2", "m3", None)] == ["m2", "m3", None]


def test_the_mark_is_what_directors_read() -> None:
    value = json.loads(records.mark(Record("a@b", "m1", "m2", 1.0), "migrate host 7", 2.0))
    assert value == {"to": "m2", "since": 2.0, "holder": "migrate host 7"}


async def test_a_record_that_somebody_else_wrote_is_not_overwritten() -> None:
    engine = MemoryEngine()
    await engine.open()
    store = Store(engine)
    first, second = [await Ledger.opened(store, "a@b") for _ in range(2)]
    record = Record("a@b", "m1", "m2", 1.0)
    await first.write(record, Put("x", b"1"))
    with pytest.raises(MigrationRefused, match="goes on"):
        await second.write(record, Put("x", b"2"))
    item = await store.get("x")
    assert item is not None
    assert item.value == b"1"
    await first.write(None)
    assert await store.get("mail/migration/a@b") is None
    await store.close()
    await engine.close()


async def test_all_that_was_put_away_is_found_page_by_page() -> None:
    engine = MemoryEngine()
    await engine.open()
    store = Store(engine)
    put_away = [Retired(f"u{n:04}@b", f"/srv/u{n}.migrated-x", 1.0) for n in range(1100)]
    for each in put_away:
        await store.put(each.key, each.encoded())
    assert await retired(store) == put_away
    await store.close()
    await engine.close()
