"""Short forms: what each stands for, and what is refused with which words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from l7lb.config import shorthand
from l7lb.config.refusal import Refusal

SCHEDULER = shorthand.word("scheduler", ("rr", "wlc"), ("maglev",))
KEY = shorthand.optional_key(("source", "host"))
PATH = shorthand.keyed("path", str)
FLAG = shorthand.keyed("flag", bool)
SIZE = shorthand.keyed("size", int)
LONG = {"any": "mapping"}
QUIET = {"consecutive_errors": 0, "consecutive_connect_errors": 0, "latency_factor": 0}
WORKERS = "auto, or from 1 to 1024"
CHECKS = "known: tcp, http, icmp, imap, pop3, smtp, lmtp, none"
NO_SECRET = ("a secret never stands in the rules file", "write {file: PATH} or {env: NAME}")
READERS = [
    shorthand.listed_or_none,
    shorthand.switched,
    shorthand.persistence,
    shorthand.check,
    shorthand.http_path,
    shorthand.outlier,
    shorthand.access_log,
    shorthand.shares,
    shorthand.value_match,
    shorthand.secret,
    shorthand.penalty,
    shorthand.certificates,
    SCHEDULER,
    KEY,
    PATH,
]


@pytest.mark.parametrize(
    ("expand", "short", "long"),
    [
        (shorthand.listed, "a", ["a"]),
        (shorthand.listed, 1, [1]),
        (shorthand.listed, LONG, [LONG]),
        (shorthand.listed, ["a", "b"], ["a", "b"]),
        (shorthand.listed, None, None),
        (shorthand.listed_or_none, "none", []),
        (shorthand.listed_or_none, "off", []),
        (shorthand.listed_or_none, False, []),
        (shorthand.listed_or_none, "via", ["via"]),
        (PATH, "/a", {"path": "/a"}),
        (PATH, 1, 1),
        (SIZE, 1, {"size": 1}),
        (SIZE, True, True),
        (FLAG, True, {"flag": True}),
        (shorthand.penalty, "none", {"delays": []}),
        (shorthand.penalty, LONG, LONG),
        (shorthand.rate, {"source": "5/1h"}, {"key": "source", "count": 5, "per": "1h"}),
        (shorthand.rate, {"key": "source"}, {"key": "source"}),
        (shorthand.rate, [], []),
        (shorthand.switched, True, {}),
        (shorthand.switched, False, None),
        (shorthand.switched, "none", None),
        (shorthand.switched, "off", None),
        (shorthand.switched, 0, 0),
        (shorthand.chosen, True, True),
        (SCHEDULER, "rr", {"rr": True}),
        (KEY, True, {}),
        (KEY, "host", {"host": True}),
        (shorthand.persistence, "source", {"source": True}),
        (shorthand.persistence, "none", None),
        (shorthand.persistence, False, None),
        (shorthand.check, "tcp", {"tcp": True}),
        (shorthand.check, "none", {"none": True}),
        (shorthand.check, "off", {"none": True}),
        (shorthand.check, False, {"none": True}),
        (shorthand.http_path, True, "/"),
        (shorthand.http_path, "/up", "/up"),
        (shorthand.outlier, "off", QUIET),
        (shorthand.outlier, False, QUIET),
        (shorthand.access_log, False, {"format": "off"}),
        (shorthand.access_log, "json", {"format": "json"}),
        (shorthand.shares, "web", {"web": 1}),
        (shorthand.value_match, "1", {"equals": "1"}),
        (shorthand.value_match, True, {"present": True}),
        (shorthand.certificates, "a.pem", {"certificates": "a.pem"}),
        (shorthand.certificates, ["a.pem"], {"certificates": ["a.pem"]}),
    ],
)
def test_short_forms(expand: shorthand.Expand, short: object, long: object) -> None:
    assert expand(short) == long


@pytest.mark.parametrize("expand", READERS[1:])
def test_a_long_form_is_given_back(expand: shorthand.Expand) -> None:
    given = dict(LONG)
    assert expand(given) is given
    assert given == LONG


@pytest.mark.parametrize(
    ("read", "value", "found"),
    [
        (shorthand.period, "30s", 30.0),
        (shorthand.send_proxy, "none", 0),
        (shorthand.send_proxy, False, 0),
        (shorthand.send_proxy, "v1", 1),
        (shorthand.send_proxy, "v2", 2),
        (shorthand.workers, "auto", 0),
        (shorthand.workers, 1, 1),
        (shorthand.workers, 1024, 1024),
        (shorthand.minimum_tls, 1.2, "1.2"),
        (shorthand.minimum_tls, "1.3", "1.3"),
        (shorthand.head_size, "1KiB", 1024),
        (shorthand.head_size, "1MiB", 1 << 20),
    ],
)
def test_values(read: Callable[[object], object], value: object, found: object) -> None:
    assert read(value) == found


@pytest.mark.parametrize(
    ("read", "value", "message", "hint"),
    [
        (shorthand.chosen, False, "false is not true", "leave the key out instead"),
        (shorthand.chosen, 1, "1 is not true", "leave the key out instead"),
        (shorthand.period, "0s", "0 is not allowed here: every wait has an end", "such as 30s"),
        (shorthand.period, 30, "30 has no unit", "write 30s or 30ms"),
        (SCHEDULER, "maglev", "scheduler 'maglev' is not supported by this version", ""),
        (SCHEDULER, "wlcc", "unknown scheduler 'wlcc'", "did you mean 'wlc'?; known: rr, wlc"),
        (KEY, "x", "unknown key 'x'", "known: source, host"),
        (shorthand.persistence, "x", "unknown persistence 'x'", "known: source, account"),
        (shorthand.check, "rtsp", "check 'rtsp' is not supported by this version", ""),
        (
            shorthand.check,
            "x",
            "unknown check 'x'",
            CHECKS,
        ),
        (shorthand.value_match, 1, "1 is not text", 'in quotes it is: "1"'),
        (shorthand.value_match, False, "false is not text", 'in quotes it is: "false"'),
        (shorthand.send_proxy, 1, "1 is not a PROXY protocol version", "v1, v2 or none"),
        (shorthand.send_proxy, "v3", "'v3' is not a PROXY protocol version", "v1, v2 or none"),
        (shorthand.send_proxy, [], "a list is not a PROXY protocol version", "v1, v2 or none"),
        (shorthand.workers, 0, "0 is not a number of workers", WORKERS),
        (shorthand.workers, 1025, "1025 is not a number of workers", WORKERS),
        (shorthand.workers, True, "true is not a number of workers", WORKERS),
        (shorthand.minimum_tls, 1.1, "1.1 is not a TLS version that is served", "1.2 or 1.3"),
        (shorthand.minimum_tls, None, "nothing is not a TLS version that is served", "1.2 or 1.3"),
        (shorthand.head_size, "1023B", "'1023B' is out of range", "from 1KiB to 1MiB"),
        (shorthand.head_size, "2MiB", "'2MiB' is out of range", "from 1KiB to 1MiB"),
        (shorthand.secret, "hunter2", *NO_SECRET),
        (shorthand.secret, 1234, *NO_SECRET),
    ],
)
def test_refusals(read: Callable[[object], object], value: object, message: str, hint: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(value)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize("expand", READERS)
def test_nothing_is_left_to_the_schema(expand: shorthand.Expand) -> None:
    assert expand(None) is None
    assert expand({}) in ({}, [{}])
