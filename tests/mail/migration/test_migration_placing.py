"""Putting in place and away: each may be done twice, and deletes nothing but what is ours."""

from __future__ import annotations

import mailbox
import os
import shutil
from pathlib import Path

import pytest

from l7lb.errors import MigrationRefused
from l7lb.mail.migration import placing
from l7lb.mail.migration.layout import home_of
from l7lb.mail.migration.placing import Paths
from l7lb.model_migration import FencePlace, MailStorageSpec
from l7lb_storage import StaleToken
from l7lb_storage.fence import highest
from support.mail_places import deliver, held


@pytest.fixture(params=FencePlace)
def paths(request: pytest.FixtureRequest, tmp_path: Path) -> Paths:
    spec = MailStorageSpec(f"{tmp_path}/{{server}}/{{account}}/Maildir", fence=request.param)
    source, target = (home_of(spec, "a@b", server) for server in ("m1", "m2"))
    source.maildir.parent.mkdir(parents=True)
    deliver(mailbox.Maildir(source.maildir), b"x", "S", "cur")
    made = Paths(source, target, "stamp")
    placing.begin_copy(made)
    shutil.copytree(source.maildir, made.copy, dirs_exist_ok=True)
    return made


def test_in_place_back_and_in_place_again(paths: Paths) -> None:
    mailbox.Maildir(paths.target.maildir)
    whole = held(paths.copy)
    for _ in range(2):
        placing.install(paths, 7)
        assert placing.is_installed(paths)
        assert held(paths.target.maildir) == whole
        placing.uninstall(paths, 7)
        placing.uninstall(paths, 7)
        assert not placing.is_installed(paths)
        assert held(paths.target.maildir) == []
        assert paths.target.maildir.exists()


def test_an_older_token_puts_nothing_anywhere(paths: Paths) -> None:
    placing.install(paths, 7)
    for act in (placing.uninstall, placing.install):
        with pytest.raises(StaleToken):
            act(paths, 6)
    assert len(held(paths.target.maildir)) == 1
    assert highest(paths.target.fence) == 7
    assert placing.retire(paths, 7) == [paths.retired]
    with pytest.raises(StaleToken):
        placing.retire(paths, 6)
    assert highest(paths.source.fence) == 7


def test_put_away_twice_is_put_away_once(paths: Paths) -> None:
    assert placing.retire(paths, 7) == [paths.retired]
    assert placing.retire(paths, 8) == [paths.retired]
    assert len(held(paths.retired)) == 1
    assert held(paths.source.maildir) == []


def test_only_what_a_migration_named_is_deleted(paths: Paths) -> None:
    with pytest.raises(MigrationRefused, match="was not put away"):
        placing.discard(paths.source.maildir)
    assert len(held(paths.source.maildir)) == 1
    placing.discard(paths.copy)
    placing.discard(paths.copy)
    assert not paths.copy.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_belong_to_the_owner_of_the_mail(paths: Paths) -> None:
    for path in (paths.source.maildir, paths.source.maildir.parent):
        os.chown(path, 12345, 12346)
    os.chown(paths.copy, 12345, 12346)
    placing.install(paths, 7)
    placing.retire(paths, 7)
    for home in (paths.source, paths.target):
        if home.fence == home.maildir:
            found = (home.fence / ".fence").stat()
            assert (found.st_uid, found.st_gid) == (12345, 12346)
    assert paths.target.maildir.stat().st_uid == 12345
