"""Keys from facts."""

import re

import pytest

from l7lb.model import KeyKind, KeySpec
from l7lb.persistence import key
from l7lb.persistence.key import SourceKey, extractor
from l7lb_protocols.facts import PlainFacts

FULL = PlainFacts(
    host=b"www.example.org",
    path=b"/live/cam7/seg",
    query=b"t=1",
    source="192.0.2.7",
    account=b"anna@example.org",
    headers={b"x-user": b"u1"},
    cookies={b"sid": b"s1"},
    arguments={b"id": b"q1"},
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (KeySpec(KeyKind.SOURCE), b"192.0.2.7/32"),
        (KeySpec(KeyKind.HOST), b"www.example.org"),
        (KeySpec(KeyKind.PATH), b"/live/cam7/seg"),
        (KeySpec(KeyKind.URI), b"/live/cam7/seg?t=1"),
        (KeySpec(KeyKind.HEADER, b"x-user"), b"u1"),
        (KeySpec(KeyKind.QUERY, b"id"), b"q1"),
        (KeySpec(KeyKind.COOKIE, b"sid"), b"s1"),
        (KeySpec(KeyKind.ACCOUNT), b"anna@example.org"),
        (KeySpec(KeyKind.CAPTURE, pattern=re.compile(rb"^/live/([^/]+)")), b"cam7"),
        (KeySpec(KeyKind.CAPTURE, pattern=re.compile(rb"cam\d")), b"cam7"),
        (KeySpec(KeyKind.CAPTURE), b"/live/cam7/seg"),
    ],
)
def test_a_key_of_each_kind_and_none_where_there_is_nothing(spec, expected):
    take = extractor(spec)
    assert take(FULL) == expected
    assert take(PlainFacts()) is None


def test_an_empty_value_is_no_key():
    facts = PlainFacts(headers={b"x-user": b""})
    assert extractor(KeySpec(KeyKind.HEADER, b"x-user"))(facts) is None


def test_a_path_without_query_is_its_own_uri():
    assert extractor(KeySpec(KeyKind.URI))(PlainFacts(path=b"/x")) == b"/x"


def test_a_group_that_took_no_part_is_no_key():
    take = extractor(KeySpec(KeyKind.CAPTURE, pattern=re.compile(rb"^/(a)?")))
    assert take(PlainFacts(path=b"/b")) is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("192.0.2.77", b"192.0.2.0/24"),
        ("::ffff:192.0.2.77", b"192.0.2.0/24"),
        ("2001:db8:1:2:3::4", b"2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::9", b"2001:db8:1:2::/64"),
        ("fe80::1%eth0", b"fe80::/64"),
        ("unix", b"unix"),
    ],
)
def test_a_source_counts_by_its_network(source, expected):
    assert SourceKey((24, 64))(PlainFacts(source=source)) == expected


def test_remembered_sources_are_bounded(monkeypatch):
    monkeypatch.setattr(key, "REMEMBERED_SOURCES", 10)
    take = SourceKey((32, 128))
    for n in range(200):
        assert take(PlainFacts(source=f"10.0.0.{n}")) == b"10.0.0.%d/32" % n
    assert len(take._known) <= 10
