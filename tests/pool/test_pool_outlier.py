"""Outlier detection, alone."""

from dataclasses import dataclass, field

import pytest

from l7lb.model_failures import OutlierSpec
from l7lb.pool.outlier import (
    MINIMUM_SAMPLES,
    OutlierRecord,
    ejection_end,
    has_failed,
    slow_ones,
)


@dataclass(eq=False)
class Fake:
    outlier: OutlierRecord = field(default_factory=OutlierRecord)
    ejected_until: float = 0.0
    is_enabled: bool = True


def test_errors_in_a_row_of_either_kind():
    spec = OutlierSpec(consecutive_errors=3, consecutive_connect_errors=2)
    record = OutlierRecord()
    record.failed(connected=False)
    record.failed(connected=True)
    assert not has_failed(record, spec)
    record.failed(connected=False)
    assert has_failed(record, spec)
    record.succeeded()
    assert not has_failed(record, spec)
    record.failed(connected=False)
    record.failed(connected=False)
    assert has_failed(record, spec)


def test_zero_is_off():
    record = OutlierRecord(errors=99, connect_errors=99)
    assert not has_failed(record, OutlierSpec(consecutive_errors=0, consecutive_connect_errors=0))


def test_ejections_double_up_to_the_maximum_and_start_anew_after_a_good_time():
    spec = OutlierSpec(ejection_s=10.0, max_ejection_s=60.0)
    one, now_s, lengths = Fake(), 1000.0, []
    for _ in range(5):
        until_s = ejection_end(one, [one, Fake()], spec, now_s)
        lengths.append(until_s - now_s)
        one.outlier.begin_ejection(until_s)
        now_s = until_s
    assert lengths == [10, 20, 40, 60, 60]
    assert ejection_end(one, [one, Fake()], spec, now_s + 61) == now_s + 61 + 10


@pytest.mark.parametrize(
    ("size", "share", "most"), [(1, 0.5, 0), (2, 0.5, 1), (3, 0.5, 1), (10, 0.3, 3), (2, 1.0, 2)]
)
def test_only_a_share_of_the_pool_is_ejected(size, share, most):
    spec = OutlierSpec(max_ejected=share)
    pool = [Fake() for _ in range(size)]
    for each in pool:
        each.ejected_until = ejection_end(each, pool, spec, 100.0) or 0.0
    assert sum(each.ejected_until > 100.0 for each in pool) == most


def test_servers_that_refuse_connections_may_all_go_but_one():
    spec = OutlierSpec(max_ejected=0.5, consecutive_connect_errors=2)
    pool = [Fake(OutlierRecord(errors=2, connect_errors=2)) for _ in range(4)]
    for each in pool:
        each.ejected_until = ejection_end(each, pool, spec, 100.0) or 0.0
    assert sum(each.ejected_until > 100.0 for each in pool) == 3


def test_disabled_servers_are_no_part_of_the_share():
    pool = [Fake(), Fake(is_enabled=False)]
    assert ejection_end(pool[0], pool, OutlierSpec(max_ejected=0.5), 0.0) is None


def with_latencies(*means):
    pool = [Fake() for _ in means]
    for each, mean in zip(pool, means, strict=True):
        for _ in range(MINIMUM_SAMPLES):
            each.outlier.measured(mean)
    return pool


def test_slow_ones_are_far_above_the_median_slowest_first():
    pool = with_latencies(0.1, 0.1, 0.35, 0.5, 0.1)
    assert slow_ones(pool, 3.0, 0.0) == [pool[3], pool[2]]
    assert slow_ones(pool, 0.0, 0.0) == []


def test_one_of_two_can_be_slow():
    pool = with_latencies(0.1, 0.9)
    assert slow_ones(pool, 3.0, 0.0) == [pool[1]]


def test_few_samples_and_ejected_servers_say_nothing():
    pool = with_latencies(0.1, 0.1, 0.9)
    pool[2].outlier.begin_round()
    pool[2].outlier.measured(0.9)
    assert slow_ones(pool, 2.0, 0.0) == []
    pool = with_latencies(0.1, 0.9)
    pool[1].ejected_until = 5.0
    assert slow_ones(pool, 2.0, 0.0) == []
