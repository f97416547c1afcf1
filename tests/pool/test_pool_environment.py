"""What a pool is given."""

from l7lb.model import PersistenceKind, PersistenceSpec
from l7lb.persistence.learned import LocalPinTable
from l7lb.pool.environment import PoolEnvironment
from l7lb.ports import LocalCounters, ManualClock

SPEC = PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=5.0, limit=2)


def build(**options):
    return PoolEnvironment(ManualClock(), LocalCounters(), lambda: 0.0, b"", **options)


def test_the_table_of_this_process_obeys_the_specification():
    env = build()
    table = env.pin_table(SPEC)
    for value in (b"1", b"2", b"3"):
        table.remember(value, "a")
    assert len(table) == 2
    env.clock.advance(6)
    assert table.find(b"3") is None


def test_a_shared_table_can_stand_in_its_place():
    shared = LocalPinTable(9, 0.0, lambda: 0.0)
    assert build(pins=lambda spec: shared).pin_table(SPEC) is shared
