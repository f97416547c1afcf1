"""Changes as lines."""

from l7lb.cli.changes import change_lines


def test_changes_as_lines() -> None:
    changes = [
        {"kind": "added", "what": "pool", "name": "api", "details": []},
        {"kind": "changed", "what": "server", "name": "web/a", "details": ["weight 1 → 2"]},
        {"kind": "removed", "what": "route", "name": "www/x", "details": []},
    ]
    assert change_lines(changes) == [
        "+ pool api",
        "~ server web/a",
        "    weight 1 → 2",
        "- route www/x",
    ]
    assert change_lines([]) == ["no change"]
