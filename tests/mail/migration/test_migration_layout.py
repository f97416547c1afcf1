"""Where mail is: templates to paths, and names that would leave their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7lb.errors import MigrationRefused
from l7lb.mail.migration.layout import home_of
from l7lb.model_migration import FencePlace, MailStorageSpec


def test_paths_by_template_and_by_server() -> None:
    spec = MailStorageSpec(
        "/srv/mail/{server}/{domain}/{user}/Maildir", (("m2", "/mnt/two/{account}"),)
    )
    home = home_of(spec, "a.b@example.org", "m1")
    assert home.maildir == Path("/srv/mail/m1/example.org/a.b/Maildir")
    assert (home.fence, home.mount) == (home.maildir, Path("/srv/mail/"))
    assert home_of(spec, "a.b@example.org", "m2").maildir == Path("/mnt/two/a.b@example.org")
    assert home.beside("migrated", "x").name == "Maildir.migrated-x"


def test_a_fence_above_the_maildir() -> None:
    spec = MailStorageSpec("/srv/{account}/Maildir", fence=FencePlace.HOME)
    assert home_of(spec, "a@b", "m1").fence == Path("/srv/a@b")


def test_braces_in_a_name_are_not_filled_again() -> None:
    spec = MailStorageSpec("/srv/{server}/{account}")
    assert home_of(spec, "{server}@b", "m1").maildir == Path("/srv/m1/{server}@b")


@pytest.mark.parametrize(
    "account", ["../etc@b", "a/b@c", ".hidden@b", "@b", "a@", "a\0@b", "a@..", "a" * 201 + "@b"]
)
def test_a_name_that_would_leave_its_place(account: str) -> None:
    spec = MailStorageSpec("/srv/mail/{domain}/{user}")
    with pytest.raises(MigrationRefused, match="account"):
        home_of(spec, account, "m1")


def test_a_server_of_which_nothing_is_known() -> None:
    spec = MailStorageSpec(roots=(("m1", "/srv/{account}"),))
    with pytest.raises(MigrationRefused, match="server m2 keeps mail"):
        home_of(spec, "a@b", "m2")
    no_domain = MailStorageSpec("/srv/{domain}/{user}")
    with pytest.raises(MigrationRefused, match="no safe place"):
        home_of(no_domain, "root", "m1")
