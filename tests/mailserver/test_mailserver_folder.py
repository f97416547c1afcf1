"""One folder on the disk; the standard library's Maildir is the oracle."""

from __future__ import annotations

import mailbox
from pathlib import Path

import pytest

from l7lb.errors import MailboxAway, NoSuchMailbox
from l7lb.mailserver import maildir, uidlist
from l7lb.mailserver.folder import Change, Folder

DATA = b"Subject: one\r\n\r\ntext\r\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "home/Maildir"
    maildir.make(made)
    return made


def loaded(path: Path) -> Folder:
    folder = Folder(path)
    folder.load()
    return folder


def delivered(path: Path, data: bytes = DATA) -> str:
    staged = maildir.stage(path, data)
    staged.rename(path / "new" / staged.name)
    return staged.name


def no_space(*_: object) -> None:
    raise OSError("no space")


def test_the_standard_library_reads_what_is_written(path: Path) -> None:
    folder = loaded(path)
    folder.append(DATA, "FS")
    delivered(path)
    box = mailbox.Maildir(path, create=False)
    found = sorted((message.get_flags(), message["Subject"]) for message in box)
    assert found == [("", "one"), ("FS", "one")]


def test_what_the_standard_library_writes_is_read(path: Path) -> None:
    box = mailbox.Maildir(path, create=False)
    message = mailbox.MaildirMessage(b"Subject: two\n\ntext\n")
    message.set_subdir("cur")
    message.set_flags("RS")
    box.add(message)
    folder = loaded(path)
    assert folder.messages[1].letters == "RS"
    assert folder.read(1) == b"Subject: two\r\n\r\ntext\r\n"
    assert folder.size(1) == len(folder.read(1))


def test_uids_stay_over_a_new_start(path: Path) -> None:
    folder = loaded(path)
    names = [delivered(path), delivered(path)]
    assert folder.has_arrivals()
    folder.sync()
    assert not folder.has_arrivals()
    third = folder.append(DATA, "")
    folder.expunge([third])
    again = loaded(path)
    assert again.validity == folder.validity
    assert {uid: message.unique for uid, message in again.messages.items()} == {
        uid: message.unique for uid, message in folder.messages.items()
    }
    assert {message.unique for message in again.messages.values()} == set(names)
    assert again.append(DATA, "") == third + 1


def test_flags_change_and_other_programs_letters_stay(path: Path) -> None:
    name = delivered(path)
    (path / "new" / name).rename(path / "cur" / f"{name}:2,Sa")
    folder = loaded(path)
    folder.set_flags([1, 99], "F", Change.ADD)
    assert folder.messages[1].letters == "FSa"
    folder.set_flags([1], "S", Change.REMOVE)
    folder.set_flags([1], "R", Change.SET)
    assert folder.messages[1].letters == "Ra"
    assert [each.name for each in (path / "cur").iterdir()] == [f"{name}:2,Ra"]


def test_a_lost_file_of_uids_makes_a_new_validity(path: Path) -> None:
    (path / uidlist.FILE).write_bytes(uidlist.UidList(7).render())
    assert loaded(path).validity == 7
    (path / uidlist.FILE).unlink()
    assert loaded(path).validity > 7


def test_a_damaged_file_of_uids_is_not_replaced(path: Path) -> None:
    (path / uidlist.FILE).write_bytes(b"l7lb-uid")
    with pytest.raises(MailboxAway):
        loaded(path)
    assert (path / uidlist.FILE).read_bytes() == b"l7lb-uid"


def test_copies_are_all_or_none(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "home/Maildir/.Other"
    maildir.make(other)
    source, target = loaded(path), loaded(other)
    first, second = source.append(DATA, "S", 1000.0), source.append(DATA, "")
    assert target.copy_from(source, [first, second]) == [(1, 1), (2, 2)]
    assert target.messages[1].letters == "S"
    assert target.date(1) == 1000.0
    (path / "cur" / source.messages[second].name).unlink()
    with pytest.raises(NoSuchMailbox):
        target.copy_from(source, [first, second])
    assert list(target.messages) == [1, 2]


@pytest.mark.parametrize("step", ["sync_directory", "replace"])
def test_an_append_that_fails_leaves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Its client was told NO; it may append once more."""
    folder = loaded(path)
    with monkeypatch.context() as patch:
        patch.setattr(maildir, step, no_space)
        with pytest.raises(OSError, match="no space"):
            folder.append(DATA, "")
    folder.sync()
    assert folder.messages == loaded(path).messages == {}
    assert folder.append(DATA, "") in loaded(path).messages


def test_uids_are_not_told_before_they_are_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = loaded(path)
    delivered(path)
    with monkeypatch.context() as patch:
        patch.setattr(maildir, "replace", no_space)
        with pytest.raises(OSError, match="no space"):
            folder.sync()
        assert folder.messages == {}
    assert folder.has_arrivals()
    folder.sync()
    assert len(folder.messages) == 1
    assert loaded(path).messages == folder.messages
    uids = uidlist.parse((path / uidlist.FILE).read_bytes()).uids
    assert sorted(uids.values()) == sorted(folder.messages)


def test_a_message_that_is_gone_says_so(path: Path) -> None:
    folder = loaded(path)
    uid = folder.append(DATA, "")
    (path / "cur" / folder.messages[uid].name).unlink()
    for call in (folder.read, folder.date):
        with pytest.raises(NoSuchMailbox):
            call(uid)
        if call is folder.read:
            with pytest.raises(NoSuchMailbox):
                call(99)
    assert not loaded(path).messages


def test_old_drafts_go_and_new_ones_stay(path: Path) -> None:
    import os

    old, new = maildir.stage(path, DATA), maildir.stage(path, DATA)
    os.utime(old, (0, 0))
    loaded(path)
    assert not old.exists()
    assert new.exists()
