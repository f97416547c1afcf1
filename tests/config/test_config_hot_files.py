"""`media.hot_files:` from the words of the file to the specification and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from l7lb.config.diff import diff
from l7lb.config.effective import to_yaml
from l7lb.config.effective_hot_files import media_tree
from l7lb.config.load import load_cluster
from l7lb.config.refusal import Refusal
from l7lb.config.texts_hot_files import PATH_LIMIT, folder, interface, socket, url
from l7lb.model import ClusterSpec
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, HotFilesSpec, Socket

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]
SECRET = "0123456789abcdef"
SHORT = """\
media:
  hot_files:
    shared: /srv/films
    local: /var/cache/{node}
    presented: /srv/present/
    capacity: 1GB
    announce: {to: 239.255.76.76, secret: {env: L7LB_ANNOUNCE}}
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L7LB_ANNOUNCE", SECRET)


def test_what_must_be_said(load: Load) -> None:
    assert load("pools: {}").hot_files is None
    assert load("media: {}").hot_files is None
    spec = load(SHORT).hot_files
    secret = SecretSpec(SECRET.encode(), "", "L7LB_ANNOUNCE")
    assert spec == HotFilesSpec(
        "/srv/films",
        "/var/cache/{node}",
        "/srv/present",
        10**9,
        AnnounceSpec((Socket("239.255.76.76", 7676),), secret),
    )
    assert spec is not None
    assert spec.path(spec.local, "m1") == "/var/cache/m1"
    assert spec.announce.to[0].is_multicast
    assert not Socket("*", 1).is_multicast
    assert not Socket("10.0.0.1", 1).is_multicast
    assert str(Socket("ff02::1", 7)) == "[ff02::1]:7"


def test_what_is_shown_loads_again(load: Load, tmp_path: Path) -> None:
    spec = load(SHORT.replace("{env", "{env") + "    copy_rate: 0\n")
    (tmp_path / "again.yaml").write_text(to_yaml(spec))
    assert load_cluster(tmp_path / "again.yaml").hot_files == spec.hot_files


def test_a_change_is_told(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = load(SHORT), load(SHORT.replace("1GB", "2GB"))
    assert [str(each) for each in diff(old, new)] == [
        "changed media media: hot_files.capacity 1GB → 2GB"
    ]
    assert [str(each) for each in diff(old, load("pools: {}"))] == ["removed media media"]
    monkeypatch.setenv("L7LB_ANNOUNCE", SECRET[::-1])
    assert [str(each) for each in diff(old, load(SHORT))] == [
        "changed media media: hot_files.announce.secret changed"
    ]
    assert old.hot_files is not None
    assert set(media_tree(old.hot_files)) == {"hot_files"}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (SHORT, "media: []\n", "media is not a mapping"),
        ("/srv/films", "srv/films", "'srv/films' is no absolute path (such as /srv/films)"),
        ("/srv/films", "/srv/../films", "'/srv/../films' is no directory for this"),
        ("/var/cache/{node}", "/var/{host}", "'/var/{host}' has characters with no meaning here"),
        ("/var/cache/{node}", "/srv/films/local", "/srv/films/local lies in shared"),
        ("1GB", "0", "nothing can be copied into 0 (such as 500GB)"),
        ("1GB", "1000", "1000 has no unit"),
        ("to: 239.255.76.76", "to: []", "announce goes nowhere"),
        ("239.255.76.76", "'a b'", "'a b' is no address (such as 239.255.76.76 or"),
        ("239.255.76.76", "'10.0.0.1:70000'", "'10.0.0.1:70000' is no address"),
        ("239.255.76.76", "[ff05::7, 10.0.0.1]", "groups of IPv6 do not go with other addresses"),
        (", secret: {env: L7LB_ANNOUNCE}", "", "announce has no secret"),
        ("{env: L7LB_ANNOUNCE}", "{env: L7LB_NONE}", "L7LB_NONE is not set"),
        ("{env: L7LB_ANNOUNCE}", "hush", "a secret never stands in the rules file"),
        ("capacity", "capacaty", "unknown key 'capacaty' (did you mean 'capacity'?"),
    ],
)
def test_what_is_wrong_is_said(complaints: Complaints, old: str, new: str, complaint: str) -> None:
    found = complaints(SHORT.replace(old, new, 1))
    assert any(complaint in each for each in found), found


def test_the_section_in_the_documents_is_good(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L7LB_ANNOUNCE_SECRET", SECRET)
    page = Path(__file__).parents[2] / "docs/howto/hot-files.md"
    [block] = re.findall(r"```\n(media:\n.*?)```", page.read_text(), re.DOTALL)
    spec = load(block).hot_files
    assert spec is not None
    assert spec.busy_sessions == 300


@pytest.mark.parametrize("value", ["", "/", 3, f"/{'x' * PATH_LIMIT}", "/a/{node", "/a\nb"])
def test_no_folder(value: object) -> None:
    with pytest.raises(Refusal):
        folder(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10.0.0.1", Socket("10.0.0.1", 9)),
        ("10.0.0.1:80", Socket("10.0.0.1", 80)),
        ("[ff02::1]:80", Socket("ff02::1", 80)),
        ("ff02::1", Socket("ff02::1", 9)),
        ("d1.example.org", Socket("d1.example.org", 9)),
        ("*:80", Socket("*", 80)),
    ],
)
def test_sockets(value: str, expected: Socket) -> None:
    assert socket(9)(value) == expected


@pytest.mark.parametrize("value", ["", "a b", "[::1", "10.0.0.1:", ":80", "-x"])
def test_no_sockets(value: str) -> None:
    with pytest.raises(Refusal):
        socket(9)(value)


def test_interfaces_and_urls() -> None:
    assert interface("eth1.7") == "eth1.7"
    assert url("/vod films") == "/vod films"
    for value in ("", "eth/1", "x" * 16):
        with pytest.raises(Refusal):
            interface(value)
    for value in ("", "vod", "/a\nb"):
        with pytest.raises(Refusal):
            url(value)
