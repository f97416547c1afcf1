"""The verbs for one server."""

import pytest

from l7lb.cli.server_verb import shown


@pytest.mark.parametrize(
    ("admin", "weight", "said"),
    [
        ("ready", None, "web/a: ready"),
        ("drain", None, "web/a: drain, persistent clients stay 60.0 s"),
        ("disabled", 0, "web/a: disabled, weight 0"),
    ],
)
def test_one_line_says_how_it_stands(admin: str, weight: int | None, said: str) -> None:
    answer = {
        "pool": "web", "server": "a", "admin": admin, "drain_left_s": 60.0, "weight": weight,
    }  # fmt: skip
    assert shown(answer) == said
