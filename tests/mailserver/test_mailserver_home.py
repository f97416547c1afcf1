"""Folders of one account."""

from pathlib import Path

import pytest

from l7lb.errors import MailboxExists, MailboxRefused, NoSuchMailbox
from l7lb.mailserver import home as module
from l7lb.mailserver.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "mail", "anna@example.org")
    made.make()
    made.make()
    return made


def test_folders_come_and_go(home: Home) -> None:
    assert home.names() == ["INBOX"]
    home.create("Work")
    home.create("Work.2026")
    uid = home.folder("Work").append(b"a: b\r\n\r\n", "S")
    with pytest.raises(MailboxExists):
        home.create("Work")
    home.rename("Work", "Old")
    assert home.names() == ["INBOX", "Old", "Old.2026"]
    assert home.folder("Old").messages[uid].letters == "S"
    home.delete("Old")
    assert home.names() == ["INBOX", "Old.2026"]
    with pytest.raises(NoSuchMailbox):
        home.folder("Old")
    assert home.folder("inbox") is home.folder("INBOX")


def test_a_name_that_comes_back_has_other_uids(home: Home) -> None:
    validities: list[int] = []
    for _ in range(3):
        home.create("a")
        validities.append(home.folder("a").validity)
        home.delete("a")
    assert validities[0] < validities[1] < validities[2]


def test_what_cannot_be_is_refused(home: Home) -> None:
    home.create("a")
    for call in (
        lambda: home.create("../b"),
        lambda: home.delete("INBOX"),
        lambda: home.rename("INBOX", "b"),
        lambda: home.rename("a", "inbox"),
    ):
        with pytest.raises((MailboxRefused, MailboxExists)):
            call()
    for call in (lambda: home.delete("b"), lambda: home.rename("b", "c")):
        with pytest.raises(NoSuchMailbox):
            call()
    with pytest.raises(MailboxExists):
        home.rename("a", "a.b")
    assert home.names() == ["INBOX", "a"]


def test_what_a_crash_left_of_a_deleted_folder_goes_with_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Path) -> None:
        raise OSError("killed")

    for name in ("a", "b"):
        home.create(name)
        home.folder(name).append(b"a: b\r\n\r\n", "")
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", crash)
        with pytest.raises(OSError, match="killed"):
            home.delete("a")
    assert home.names() == ["INBOX", "b"]
    home.delete("b")
    assert sorted(each.name for each in home.path.iterdir()) == ["Maildir"]


def test_folders_are_bounded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDERS", 2)
    home.create("a")
    home.create("b")
    with pytest.raises(MailboxRefused, match="too many"):
        home.create("c")


def test_a_folder_that_a_crash_left_half_made_is_none_and_can_be_made(home: Home) -> None:
    (home.maildir / ".Work/tmp").mkdir(parents=True)
    assert home.names() == ["INBOX"]
    for call in (lambda: home.folder("Work"), lambda: home.delete("Work")):
        with pytest.raises(NoSuchMailbox):
            call()
    home.create("Work")
    assert home.names() == ["INBOX", "Work"]
    assert home.folder("Work").append(b"a: b\r\n\r\n", "") == 1
