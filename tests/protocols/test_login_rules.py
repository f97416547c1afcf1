"""The rules of the fuzz targets, on their own seeds and on what Hypothesis makes of them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.login_rules import (
    IMAP_CLIENT,
    IMAP_SERVER,
    POP3_CLIENT,
    POP3_SERVER,
    SASL,
    check_client,
    check_imap_commands,
    check_sasl,
    check_server,
)
from support.login_talk import IMAP, POP3

TARGETS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "IMAP client": (lambda data: check_client(IMAP, data), IMAP_CLIENT),
    "POP3 client": (lambda data: check_client(POP3, data), POP3_CLIENT),
    "IMAP server": (lambda data: check_server(IMAP, data), IMAP_SERVER),
    "POP3 server": (lambda data: check_server(POP3, data), POP3_SERVER),
    "IMAP commands": (check_imap_commands, IMAP_CLIENT),
    "IMAP words": (check_imap_commands, (b"a X j]e ]\r\n", b"a ID (NIL ])\r\n")),
    "SASL": (check_sasl, SASL),
}


@pytest.mark.parametrize(("check", "seeds"), TARGETS.values(), ids=TARGETS)
def test_seeds(check: Callable[[bytes], None], seeds: tuple[bytes, ...]) -> None:
    for seed in seeds:
        check(seed)
        for first in range(16):
            check(bytes((first,)) + seed)


@pytest.mark.parametrize(("check", "seeds"), TARGETS.values(), ids=TARGETS)
@given(st.data())
def test_broken_seeds(
    check: Callable[[bytes], None], seeds: tuple[bytes, ...], data: st.DataObject
) -> None:
    """Cut, glue and change."""
    seed = b"".join(data.draw(st.lists(st.sampled_from(seeds), min_size=1, max_size=3)))
    at = data.draw(st.integers(0, len(seed)))
    count = data.draw(st.integers(0, 4))
    inserted = data.draw(st.binary(max_size=4) | st.sampled_from([b"\r\n", b"{5+}\r\n", b'"']))
    check(data.draw(st.binary(max_size=1)) + seed[:at] + inserted + seed[at + count :])
