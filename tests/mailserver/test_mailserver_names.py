"""Names of directories: none leads away, none is another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.errors import MailboxRefused
from l7lb.mailserver.names import LONGEST, account_directory, canonical, folder_directory


@given(st.text(min_size=1, max_size=300))
def test_an_account_has_one_harmless_directory(account: str) -> None:
    try:
        account.encode()
    except UnicodeEncodeError:
        return
    name = account_directory(account)
    assert "/" not in name
    assert not name.startswith(".")
    assert name.isascii()
    assert len(name) <= LONGEST


@given(st.sets(st.text(st.sampled_from("a./%@~é"), min_size=1, max_size=120), min_size=2))
def test_accounts_have_directories_of_their_own(accounts: set[str]) -> None:
    assert len(set(map(account_directory, accounts))) == len(accounts)


def test_common_names_can_be_read() -> None:
    assert account_directory("anna.b+c@example.org") == "anna.b+c@example.org"
    assert account_directory("../x") == "%2E.%2Fx"
    long = [account_directory("a" * 300 + end) for end in "xy"]
    assert long[0] != long[1]


def test_folders_have_directories_below_the_maildir() -> None:
    assert folder_directory("InBox") == ""
    assert folder_directory("Work.2026") == ".Work.2026"
    assert canonical("inbox") == "INBOX"
    assert canonical("Inbox.x") == "Inbox.x"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", ".a", "a.", "a..b", "a\0", "a\n", "a*", "é", "x" * 201]
)
def test_other_folders_are_refused(name: str) -> None:
    with pytest.raises(MailboxRefused):
        folder_directory(name)
