"""Files of a Maildir."""

from pathlib import Path

import pytest

from l7lb.mailserver import maildir


def test_names_are_unique_and_tell_the_size() -> None:
    names = [maildir.unique_name(size) for size in range(50)]
    assert len(set(names)) == 50
    assert [maildir.wire_size(name) for name in names] == list(range(50))
    assert maildir.wire_size("17.x.host") is None
    assert maildir.age_key("9.a") < maildir.age_key("10.a")
    assert maildir.age_key("x")[0] == 0


def test_names_sort_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [1_700_000_000_000_099_000, 1_700_000_000_100_000_000, 1_700_000_001_000_000_000]
    names: list[str] = []
    for time_ns in times:
        monkeypatch.setattr("time.time_ns", lambda now=time_ns: now)
        names.append(maildir.unique_name(1))
    assert sorted({*names}, key=maildir.age_key) == names


def test_flags_are_read_in_any_order() -> None:
    assert maildir.split_name("1.a.h:2,SFS") == ("1.a.h", "FS")
    assert maildir.split_name("1.a.h") == ("1.a.h", "")


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    maildir.replace(file, b"one")
    maildir.replace(file, b"two")
    assert file.read_bytes() == b"two"

    def fail(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        maildir.replace(file, b"three")
    assert [each.name for each in tmp_path.iterdir()] == ["f"]
    assert file.read_bytes() == b"two"


def test_what_cannot_be_staged_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildir.make(tmp_path / "a/b")

    def fail(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        maildir.stage(tmp_path / "a/b", b"x")
    assert maildir.names_in(tmp_path / "a/b/tmp") == []


def test_a_maildir_that_may_not_be_on_the_disk_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process would deliver into it, and say so, though a power failure takes it."""

    def fail(_: int) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="no space"):
            maildir.make(tmp_path / "a/b")
    assert not maildir.is_made(tmp_path / "a/b")
    synced: list[Path] = []
    monkeypatch.setattr(maildir, "sync_directory", synced.append)
    maildir.make(tmp_path / "a/b")
    assert maildir.is_made(tmp_path / "a/b")
    assert {tmp_path / "a/b", tmp_path / "a", tmp_path} <= set(synced)
