"""`mail.storage:` from the words of the file to the specification and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from l7lb.config.diff import diff
from l7lb.config.effective import to_yaml
from l7lb.config.effective_mail_storage import mail_tree
from l7lb.config.load import load_cluster
from l7lb.config.refusal import Refusal
from l7lb.config.texts_storage import PATH_LIMIT, mail_path
from l7lb.model import ClusterSpec
from l7lb.model_migration import FencePlace, MailStorageSpec

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]
LONG = """\
mail:
  storage:
    path: "/srv/mail/{server}/{domain}/{user}/Maildir"
    roots: {m3: "/mnt/three/{account}/Maildir"}
    fence: home
    keep_source: 36h
"""


def test_in_short_and_at_length(load: Load) -> None:
    assert load("pools: {}").mail_storage is None
    assert load("mail: {}").mail_storage is None
    shared = load("mail: {storage: '/srv/mail/{account}'}").mail_storage
    assert shared == MailStorageSpec("/srv/mail/{account}")
    assert shared == load("mail: {storage: {path: '/srv/mail/{account}'}}").mail_storage
    spec = load(LONG).mail_storage
    assert spec == MailStorageSpec(
        "/srv/mail/{server}/{domain}/{user}/Maildir",
        (("m3", "/mnt/three/{account}/Maildir"),),
        FencePlace.HOME,
        36 * 3600.0,
    )
    assert spec is not None
    assert spec.template("m3") == "/mnt/three/{account}/Maildir"
    assert spec.template("m1") == spec.path


def test_roots_alone(load: Load) -> None:
    spec = load("mail: {storage: {roots: {m1: '/a/{account}'}}}").mail_storage
    assert spec is not None
    assert (spec.path, spec.template("m2")) == ("", "")


@pytest.mark.parametrize("text", [LONG, "mail: {storage: '/srv/mail/{account}'}"])
def test_what_is_shown_loads_again(load: Load, tmp_path: Path, text: str) -> None:
    spec = load(text)
    (tmp_path / "again.yaml").write_text(to_yaml(spec))
    assert load_cluster(tmp_path / "again.yaml").mail_storage == spec.mail_storage


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mail: []", "1:7: mail is not a mapping (such as {storage: '/srv/mail/{account}'})"),
        (
            "mail: {storage: {keep_source: 1h}}",
            "1:17: storage has no path (such as /srv/mail/{account})",
        ),
        (
            "mail: {storage: 'srv/{account}'}",
            "1:17: 'srv/{account}' is no absolute path (such as /srv/mail/{account})",
        ),
        (
            "mail: {storage: '/srv/{user}'}",
            (
                "1:17: '/srv/{user}' is the same for several accounts "
                "(write {account}, or {domain} and {user})"
            ),
        ),
        (
            "mail: {storage: '/srv/{account}/{host}'}",
            (
                "1:17: '/srv/{account}/{host}' has braces with no meaning "
                "(known: {account}, {user}, {domain}, {server})"
            ),
        ),
        (
            "mail: {storage: '/srv/{account}}'}",
            (
                "1:17: '/srv/{account}}' has braces with no meaning "
                "(known: {account}, {user}, {domain}, {server})"
            ),
        ),
        (
            "mail: {storage: '/srv/../{account}'}",
            "1:17: '/srv/../{account}' is no plain path (no .. and no / at its end)",
        ),
        (
            "mail: {storage: {path: '/srv/{account}', fence: home}}",
            (
                "1:49: the directory above the Maildir is not the account's own "
                "(write fence: maildir, or a path such as /srv/mail/{account}/Maildir)"
            ),
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    complaints: Complaints, text: str, complaint: str
) -> None:
    assert [each.partition(":")[2] for each in complaints(text)] == [complaint]


def test_a_change_is_told(load: Load) -> None:
    old, new = load(LONG), load(LONG.replace("36h", "1h"))
    assert [str(each) for each in diff(old, new)] == [
        "changed mail mail: storage.keep_source 36h → 1h"
    ]
    assert [str(each) for each in diff(old, load("pools: {}"))] == ["removed mail mail"]
    assert old.mail_storage is not None
    assert mail_tree(old.mail_storage)["storage"] != {}


def test_a_path_that_no_file_system_takes() -> None:
    assert mail_path("/srv/{account}") == "/srv/{account}"
    for value in ("/srv/{account}/" + PATH_LIMIT * "x", "/srv/\0{account}", 7, ""):
        with pytest.raises(Refusal):
            mail_path(value)
