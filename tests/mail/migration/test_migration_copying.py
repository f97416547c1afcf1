"""Copies of Maildirs that Hypothesis makes and changes, and of trees that are no Maildir."""

from __future__ import annotations

import mailbox
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7lb.errors import MigrationRefused
from l7lb.mail.migration.copying import CopySpec, synchronise
from l7lb.mail.migration.difference import difference
from l7lb.mail.migration.tree import EMPTY, File, Tree, scan, summed
from support.mail_places import deliver, held

FOLDERS = ("", "Sent", "Sent.2026", "Grüße", "a b")
FLAGS = ("", "S", "FS", "DRST")
Change = tuple[str, int, str, str]
CHANGES = st.tuples(
    st.sampled_from(["add", "flag", "remove", "move", "state", "drop"]),
    st.integers(0, 1000),
    st.sampled_from(FOLDERS),
    st.sampled_from(FLAGS),
)


def nothing(count: int) -> None:
    """Spends nothing, counts nothing."""


def spec(source: Path, copy: Path, *, afresh: bool) -> CopySpec:
    copy.mkdir(exist_ok=True)
    return CopySpec(source, copy, nullcontext, nothing, nothing, afresh)


def change(maildir: Path, todo: Change) -> None:
    """One thing that a mail server does."""
    what, number, folder, flags = todo
    inbox = mailbox.Maildir(maildir)
    box = inbox if not folder else inbox.add_folder(folder)
    keys = sorted(box.keys())
    key = keys[number % len(keys)] if keys else None
    if what == "add":
        deliver(box, b"x" * number, flags, "cur" if flags else "new")
    elif what == "state":
        where = maildir / f".{folder}" if folder else maildir
        (where / "dovecot-uidlist").write_text(f"{number % 7}{flags}")
    elif what == "drop" and folder:
        for each in keys:
            box.remove(each)
        (maildir / f".{folder}" / "dovecot-uidlist").unlink(missing_ok=True)
        inbox.remove_folder(folder)
    elif key is not None:
        change_message(inbox, box, key, todo)


def change_message(inbox: mailbox.Maildir, box: mailbox.Maildir, key: str, todo: Change) -> None:
    what, _, _, flags = todo
    if what == "flag":
        message = box.get_message(key)
        message.set_subdir("cur")
        message.set_flags(flags)
        box[key] = message
    elif what == "remove":
        box.remove(key)
    elif what == "move":
        inbox.add_folder("Sent").add(box.get_message(key))
        box.remove(key)


@settings(max_examples=40, deadline=None)
@given(st.lists(CHANGES, max_size=20), st.lists(CHANGES, max_size=12))
def test_a_copy_is_equal_also_after_changes(before: list[Change], after: list[Change]) -> None:
    with TemporaryDirectory() as name:
        source, copy = Path(name, "source"), Path(name, "copy")
        mailbox.Maildir(source)
        for each in before:
            change(source, each)
        synchronise(spec(source, copy, afresh=False))
        assert held(copy) == held(source)
        for each in after:
            change(source, each)
        synchronise(spec(source, copy, afresh=True))
        assert held(copy) == held(source)
        assert summed(copy, nothing) == summed(source, nothing)
        assert scan(copy).directories == scan(source).directories


def test_changed_flags_cost_no_copy(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    inbox = mailbox.Maildir(source)
    key = deliver(inbox, b"large" * 1000, "", "new")
    synchronise(spec(source, copy, afresh=False))
    message = inbox.get_message(key)
    message.set_subdir("cur")
    message.set_flags("S")
    inbox[key] = message
    os.utime(source / "cur" / f"{key}:2,S", ns=(0, (copy / "new" / key).stat().st_mtime_ns))
    todo = difference(scan(source), scan(copy), afresh=True)
    assert (len(todo.renames), todo.copies, todo.removals) == (1, (), ())


def test_two_names_that_change_places_lose_nothing() -> None:
    """The goal of one renaming is there already: then it is copied."""
    one, two = File("", "cur", "a:2,S", 1, 1), File("", "cur", "a:2,F", 2, 2)
    want = Tree(("",), (File("", "cur", "a:2,F", 1, 1), File("", "cur", "a:2,S", 2, 2)))
    todo = difference(want, Tree(("",), (one, two)), afresh=False)
    assert (todo.renames, set(todo.copies), todo.removals) == ((), set(want.files), ())


def test_the_sum_tells_flags_places_and_contents_apart(tmp_path: Path) -> None:
    def made(name: str, path: str, content: bytes) -> str:
        file = tmp_path / name / path
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        return summed(tmp_path / name, nothing).digest

    found = {
        made("1", "cur/a:2,S", b"x"),
        made("2", "cur/a:2,F", b"x"),
        made("3", "new/a", b"x"),
        made("4", "cur/b:2,S", b"x"),
        made("5", "cur/a:2,S", b"y"),
        made("6", ".Sent/cur/a:2,S", b"x"),
        made("7", "subscriptions", b"x"),
        summed(tmp_path / "none", nothing).digest,
    }
    assert len(found) == 8
    assert made("8", "cur/a:2,S", b"x") in found


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_a_copy_would_change_is_refused(tmp_path: Path, kind: str) -> None:
    mailbox.Maildir(tmp_path / "source")
    odd = tmp_path / "source" / ".Odd"
    if kind == "link":
        odd.symlink_to(tmp_path)
    else:
        os.mkfifo(odd)
    with pytest.raises(MigrationRefused, match="neither a file nor a directory"):
        synchronise(spec(tmp_path / "source", tmp_path / "copy", afresh=False))


def test_a_tree_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = mailbox.Maildir(tmp_path / "source")
    for _ in range(3):
        deliver(inbox, b"", "", "new")
    monkeypatch.setattr("l7lb.mail.migration.tree.FILES_LIMIT", 5)
    with pytest.raises(MigrationRefused, match="more than 5 files"):
        scan(tmp_path / "source")


def test_a_message_that_goes_while_it_is_copied(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    inbox = mailbox.Maildir(source)
    for _ in range(3):
        deliver(inbox, b"x" * 10, "", "new")
    spends: list[int] = []

    def spend(count: int) -> None:
        """While the first one is read, those behind it go."""
        if not spends:
            copied = {path.name for path in (copy / "tmp").iterdir()}
            assert copied
            for path in list((source / "new").iterdir()):
                path.unlink()
        spends.append(count)

    synchronise(replace(spec(source, copy, afresh=False), spend=spend))
    assert (len(spends), len(held(copy))) == (1, 1)
    synchronise(spec(source, copy, afresh=True))
    assert held(copy) == held(source)
    assert held(copy) == []


def test_every_change_of_the_copy_is_behind_the_gate(tmp_path: Path) -> None:
    """Refused there, nothing has changed."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    inbox = mailbox.Maildir(source)
    kept = deliver(inbox, b"kept", "", "new")
    gone = deliver(inbox, b"gone", "", "new")
    synchronise(spec(source, copy, afresh=False))
    inbox.remove(gone)
    deliver(inbox, b"more", "", "new")
    message = inbox.get_message(kept)
    message.set_subdir("cur")
    inbox[kept] = message
    before = scan(copy)

    @contextmanager
    def closed() -> Iterator[None]:
        raise PermissionError
        yield

    with pytest.raises(PermissionError):
        synchronise(CopySpec(source, copy, closed, nothing, nothing, True))
    assert scan(copy) == before
    opened: list[None] = []

    @contextmanager
    def only_once() -> Iterator[None]:
        if opened:
            raise PermissionError
        opened.append(None)
        yield

    with pytest.raises(PermissionError):
        synchronise(CopySpec(source, copy, only_once, nothing, nothing, True))
    assert scan(copy).files == before.files


def test_nothing_is_there(tmp_path: Path) -> None:
    assert scan(tmp_path / "absent") == EMPTY
    synchronise(spec(tmp_path / "absent", tmp_path / "copy", afresh=True))
    assert scan(tmp_path / "copy").files == ()
    assert difference(EMPTY, EMPTY, afresh=True).is_empty
