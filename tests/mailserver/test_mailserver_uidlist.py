"""The file of UIDs: what was written is read, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.mailserver.uidlist import UidList, parse

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=40)


@given(st.integers(1, 2**32 - 1), st.lists(NAMES, unique=True))
def test_what_was_written_is_read(validity: int, names: list[str]) -> None:
    made = UidList(validity)
    assert [made.assign(name) for name in names] == list(range(1, len(names) + 1))
    assert parse(made.render()) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "l7lb-uidlist 1 5 3",
        "l7lb-uidlist 2 5 3\n",
        "l7lb-uidlist 1 5\n",
        "l7lb-uidlist 1 0 3\n",
        "l7lb-uidlist 1 5 3\n2 a\n1 b\n",
        "l7lb-uidlist 1 5 3\n1 a\n2 a\n",
        "l7lb-uidlist 1 5 3\n1 a\n3 b\n",
        "l7lb-uidlist 1 5 3\n1 a\n2 b",
        "l7lb-uidlist 1 5 3\n1\n",
        "l7lb-uidlist 1 5 3\nx a\n",
    ],
)
def test_damage_is_not_guessed_away(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text.encode())
