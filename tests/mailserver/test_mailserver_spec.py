"""What a server process is told."""

import json
from pathlib import Path

import pytest

from l7lb.mailserver.process import engine_of
from l7lb.mailserver.spec import read_spec
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.lockd.client import LockdEngine

WORDS = ["--name=a", "--root=/r", "--accounts=/a.yaml", "--store=unix:/s"]


def test_arguments_and_file_say_the_same(tmp_path: Path) -> None:
    spec = read_spec([*WORDS, "--imap=0", "--lmtp=24", "--master=m:p:q", "--ttl=3", "--grace=1"])
    assert spec.ports == {"imap": 0, "lmtp": 24}
    assert spec.master == (b"m", b"p:q")
    assert (spec.ttl_s, spec.grace_s, spec.host) == (3.0, 1.0, "127.0.0.1")
    assert "p:q" not in repr(spec)
    file = tmp_path / "c.json"
    file.write_text(
        json.dumps({"name": "a", "root": "/r", "accounts": "/a.yaml", "store": "unix:/s", "imap": 0,
                    "lmtp": 24, "master": "m:p:q", "ttl": 3, "grace": 9})
    )  # fmt: skip
    assert read_spec([str(file), "--grace=1"]) == spec


@pytest.mark.parametrize(
    "words",
    [
        WORDS,
        ["--imap=0"],
        [*WORDS, "--imap=65536"],
        [*WORDS, "--imap=-1"],
        [*WORDS, "--imap=0", "--master=m"],
        [*WORDS, "--imap=0", "--master=:p"],
    ],
)
def test_nonsense_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError):
        read_spec(words)


def test_unknown_keys_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    for text in ('{"colour": 1}', "[]", "{"):
        file.write_text(text)
        with pytest.raises(ValueError):
            read_spec([str(file), *WORDS, "--imap=0"])


@pytest.mark.parametrize(
    ("store", "kind"),
    [
        ("unix:/run/s", LockdEngine),
        ("lockd:127.0.0.1:99", LockdEngine),
        ("lockd:[::1]:99", LockdEngine),
        ("http://a:1,http://b:1", EtcdEngine),
    ],
)
def test_a_store_has_an_engine(store: str, kind: type[object]) -> None:
    assert isinstance(engine_of(store), kind)


@pytest.mark.parametrize("store", ["", "unix:", "lockd:x", "lockd:x:y", "redis://x"])
def test_other_stores_are_refused(store: str) -> None:
    with pytest.raises(ValueError):
        engine_of(store)
