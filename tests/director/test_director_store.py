"""Two directors in processes of their own, and the store that a rules file names."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from l7lb.director.store import engine_of
from l7lb.model_directory import SecretSpec
from l7lb.model_store import EtcdStore, LockdStore, StoreTls
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.lockd.client import LockdEngine
from support.running_director import Director, Origin, until
from support.running_lockd import Lockd


@pytest.fixture
def lockd(tmp_path: Path) -> Iterator[Lockd]:
    made = Lockd(tmp_path)
    made.start()
    yield made
    assert made.process is not None
    if made.process.poll() is None:
        made.end()


@pytest.fixture
def pair(
    tmp_path: Path, lockd: Lockd, origins: tuple[Origin, Origin]
) -> Iterator[tuple[Director, Director]]:
    made = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        director = Director(folder, *origins)
        director.write(workers=1, more=f"store: {{lockd: 'unix:{lockd.socket}'}}\n")
        made.append(director)
    one, other = made
    yield one.start(), other.start()
    one.close()
    other.close()


def state(director: Director) -> object:
    store = director.status()["store"]
    assert isinstance(store, dict)
    return store["state"]


def admin(director: Director) -> object:
    return director.server("a")["admin"]


def test_directors_agree_and_each_goes_on_alone(
    pair: tuple[Director, Director], lockd: Lockd
) -> None:
    one, other = pair
    until(lambda: state(one) == state(other) == "answers")
    one.client.post("/v1/pools/web/servers/a/drain", {})
    until(lambda: admin(other) == "drain")
    assert {other.ask() for _ in range(4)} == {"b"}

    lockd.end(signal.SIGKILL)
    until(lambda: state(one) == state(other) == "away")
    one.client.post("/v1/pools/web/servers/a/enable", {})
    assert admin(one) == "ready"
    assert {one.ask() for _ in range(4)} == {"a", "b"}
    assert {other.ask() for _ in range(4)} == {"b"}

    lockd.start()
    until(lambda: admin(other) == "ready")
    assert {other.ask() for _ in range(4)} == {"a", "b"}
    assert one.client.get("/v1/locks")["locks"] == []


def test_the_engine_that_is_named(tmp_path: Path) -> None:
    secret = SecretSpec(b"sixteen bytes at least")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = StoreTls(ca=str(tmp_path / "ca.pem"))
    for spec in (
        EtcdStore(("http://a:2379",)),
        EtcdStore(("https://a:2379",), user="u", password=secret, tls=tls),
    ):
        assert isinstance(engine_of(spec), EtcdEngine)
    for lockd in (
        LockdStore("unix:/x"),
        LockdStore("192.0.2.1", 2390, secret, StoreTls(verify=False)),
    ):
        assert isinstance(engine_of(lockd), LockdEngine)
    with pytest.raises(OSError):
        engine_of(EtcdStore(("https://a",), tls=StoreTls(ca=str(tmp_path / "none.pem"))))
