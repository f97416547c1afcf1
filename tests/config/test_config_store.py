"""`store:` from the words of the file to the specification and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from l7lb.config.diff import diff
from l7lb.config.effective import to_yaml
from l7lb.config.effective_store import secrets, store_tree
from l7lb.config.load import load_cluster
from l7lb.model import ClusterSpec
from l7lb.model_directory import SecretSpec
from l7lb.model_store import EtcdStore, LockdStore, StoreTls

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]
SECRET = b"sixteen bytes at least"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    return f"{{file: {tmp_path / 'secret'}}}"


def test_without_a_store_there_is_none(load: Load) -> None:
    assert load("pools: {}").store is None


def test_etcd_in_short_and_at_length(load: Load, secret: str) -> None:
    one = load("store: {etcd: 'http://10.0.6.1:2379'}").store
    assert one == EtcdStore(("http://10.0.6.1:2379",))
    assert load("store: {etcd: ['http://10.0.6.1:2379']}").store == one
    text = f"store: {{etcd: {{urls: 'https://a', prefix: x/, user: u, password: {secret}}}}}"
    found = load(text).store
    assert isinstance(found, EtcdStore)
    assert found.password is not None
    assert (found.urls, found.prefix, found.user) == (("https://a",), "x/", "u")
    assert found.password.value == SECRET


def test_lockd_on_a_unix_socket_and_over_tcp(load: Load, secret: str, tmp_path: Path) -> None:
    assert load("store: {lockd: 'unix:/run/l7lb/lockd.sock'}").store == LockdStore(
        "unix:/run/l7lb/lockd.sock"
    )
    text = f"store: {{lockd: {{address: '10.0.6.1:2390', secret: {secret}, tls: true}}}}"
    spec = SecretSpec(SECRET, str(tmp_path / "secret"))
    assert load(text).store == LockdStore("10.0.6.1", 2390, spec, StoreTls())


@pytest.mark.parametrize(
    "text",
    [
        "store: {etcd: ['http://10.0.6.1:2379', 'http://10.0.6.2:2379']}",
        "store: {lockd: 'unix:/run/l7lb/lockd.sock'}",
        "store: {lockd: {address: '127.0.0.1:2390', secret: SECRET, tls: {verify: false}}}",
        "store: {etcd: {urls: 'https://a', user: u, password: SECRET}}",
    ],
)
def test_what_is_shown_loads_again(load: Load, secret: str, tmp_path: Path, text: str) -> None:
    spec = load(text.replace("SECRET", secret))
    (tmp_path / "again.yaml").write_text(to_yaml(spec))
    again = load_cluster(tmp_path / "again.yaml")
    assert again.store == spec.store
    assert SECRET.decode() not in to_yaml(spec)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("store: {}", "1:8: a store has exactly one of etcd and lockd"),
        ("store: []", "1:8: store is not a mapping (such as {etcd: http://10.0.6.1:2379})"),
        ("store: {etcd: []}", "1:9: etcd has no urls (such as http://10.0.6.1:2379)"),
        (
            "store: {etcd: 'http://a/v3'}",
            "1:15: 'http://a/v3' is no URL of a member (such as http://10.0.6.1:2379)",
        ),
        (
            "store: {etcd: ['http://a', 'https://b']}",
            "1:15: members are of http and of https (all of one)",
        ),
        ("store: {etcd: ['http://a', 'http://a']}", "1:15: a member stands here twice"),
        (
            "store: {etcd: {urls: 'http://a', user: u}}",
            "1:15: user and password go together",
        ),
        (
            "store: {etcd: {urls: 'http://a', prefix: 'a b'}}",
            "1:42: 'a b' cannot begin a key (such as l7lb/)",
        ),
        (
            "store: {lockd: '127.0.0.1:2390'}",
            "1:16: lockd over TCP needs a secret (write secret: {file: PATH})",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    complaints: Complaints, text: str, complaint: str
) -> None:
    assert [each.partition(":")[2] for each in complaints(text)] == [complaint]


def test_a_change_is_told_and_a_secret_is_not(load: Load, secret: str, tmp_path: Path) -> None:
    text = f"store: {{lockd: {{address: '127.0.0.1:2390', secret: {secret}}}}}"
    old = load(text)
    (tmp_path / "secret").write_bytes(b"another secret of some length")
    assert [str(each) for each in diff(old, load(text))] == [
        "changed store store: lockd.secret changed"
    ]
    assert [str(each) for each in diff(old, load("pools: {}"))] == ["removed store store"]
    assert secrets(old.store) == {"lockd.secret": SECRET}
    assert old.store is not None
    assert "secret" in str(store_tree(old.store))
