from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.config.diff import Change, Kind, What, diff
from l7lb.config.load import load_cluster
from l7lb.model import ClusterSpec

Load = Callable[[str], ClusterSpec]

OLD = """
pools:
  web: {servers: [10.0.0.1:80, {name: b, address: 10.0.0.2:80}], check: {http: /, every: 2s}}
  old: {servers: 10.0.1.1:80}
services:
  www:
    protocol: http
    listen: ["*:80", "*:81"]
    routes:
      - {path: /a, pool: web}
      - {path: /b, pool: old}
      - {pool: web}
  gone: {protocol: http, listen: "*:82", routes: {pool: web}}
director: {workers: 2}
"""

TO_TCP = (
    "changed pool web: check.http / → none, check.method GET → none, check.status"
    " [200-399] → none, check.body_limit 64KiB → none, check.tls none → none,"
    " check.tcp none → true"
)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (
            "b, address: 10.0.0.2:80",
            "b, address: 10.0.0.2:80, weight: 2",
            ["changed server web/b: weight 1 → 2"],
        ),
        (
            "b, address: 10.0.0.2:80",
            "c, address: 10.0.0.2:80",
            ["removed server web/b", "added server web/c"],
        ),
        ("every: 2s", "every: 500ms", ["changed pool web: check.every 2s → 500ms"]),
        ("every: 2s", "every: 2000ms", []),
        (
            "{http: /, every: 2s}",
            "tcp",
            [TO_TCP],
        ),
        (
            "old: {servers: 10.0.1.1:80}",
            "old: {servers: 10.0.1.1:80}\n  new: {servers: 10.0.1.1:80}",
            ["added pool new"],
        ),
        (
            '"*:81"',
            '{address: "*:81", backlog: 5}',
            ["changed listener www *:81: backlog 4096 → 5"],
        ),
        (', "*:81"', "", ["removed listener www *:81"]),
        (
            "- {path: /b, pool: old}",
            "- {path: /b, pool: {old: 9, web: 1}}",
            ["changed route www//b: pool old → none, pool.old none → 9, pool.web none → 1"],
        ),
        (
            "- {path: /b, pool: old}",
            "- {path: /c, pool: old}",
            ["removed route www//b", "added route www//c"],
        ),
        (
            "- {path: /a, pool: web}\n      - {path: /b, pool: old}",
            "- {path: /b, pool: old}\n      - {path: /a, pool: web}",
            ["changed service www: order of routes changed"],
        ),
        (
            '  gone: {protocol: http, listen: "*:82", routes: {pool: web}}',
            "",
            ["removed service gone"],
        ),
        ("workers: 2", "workers: auto", ["changed director director: workers 2 → auto"]),
    ],
)
def test_changes(load: Load, before: str, after: str, changes: list[str]) -> None:
    assert before in OLD
    old, new = load(OLD), load(OLD.replace(before, after))
    assert [str(change) for change in diff(old, new)] == changes


def test_a_change_back_is_the_mirror_image(load: Load) -> None:
    old, new = load(OLD), load(OLD.replace("10.0.0.1:80", "10.0.0.9:80"))
    assert diff(old, new) == [
        Change(Kind.REMOVED, What.SERVER, "web/10.0.0.1:80"),
        Change(Kind.ADDED, What.SERVER, "web/10.0.0.9:80"),
    ]
    assert [change.kind for change in diff(new, old)] == [Kind.REMOVED, Kind.ADDED]


def test_a_secret_changes_without_being_shown(load: Load) -> None:
    old = load(OLD)
    new = replace(old, director=replace(old.director, cookie_secret=b"0123456789abcdef"))
    [change] = diff(old, new)
    assert str(change) == "changed director director: cookie_secret changed"


def test_equal_files_have_no_differences(folder: Path) -> None:
    one = load_cluster(folder / "everything.yaml")
    assert diff(one, load_cluster(folder / "everything.yaml")) == []


def test_whatever_differs_is_found(load: Load, folder: Path) -> None:
    everything, old = load_cluster(folder / "everything.yaml"), load(OLD)
    found = {(change.kind, change.what, change.name) for change in diff(old, everything)}
    assert {(Kind.ADDED, What.POOL, name) for name in everything.pools if name != "web"} <= found
    assert (Kind.REMOVED, What.SERVICE, "gone") in found
