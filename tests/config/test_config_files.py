"""Includes, limits, and files that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from l7lb.config import files
from l7lb.config.load import load_cluster
from l7lb.errors import ConfigError

SERVICE = "services: {www: {protocol: http, listen: '*:80', routes: {pool: web}}}\n"


def problems_of(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_cluster(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_names_of_all_files_come_together(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text("include: [pools/*.yaml, more.yaml]\n" + SERVICE)
    (tmp_path / "pools").mkdir()
    (tmp_path / "pools" / "b.yaml").write_text("pools: {b: {servers: 10.0.0.2:80}}")
    (tmp_path / "pools" / "a.yaml").write_text("pools: {web: {servers: unix:web.sock}}")
    (tmp_path / "more.yaml").write_text("director: {workers: 2}\ninclude: deeper.yaml")
    (tmp_path / "deeper.yaml").write_text("pools: {c: {servers: 10.0.0.3:80}}")
    spec = load_cluster(tmp_path / "main.yaml")
    assert list(spec.pools) == ["web", "b", "c"]
    assert spec.director.workers == 2
    assert spec.pools["web"].servers[0].address.host == f"unix:{tmp_path}/pools/web.sock"
    names = ["main.yaml", "pools/a.yaml", "pools/b.yaml", "more.yaml", "deeper.yaml"]
    assert spec.files == tuple(str(tmp_path / name) for name in names)


def test_a_glob_may_match_nothing(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text("include: conf.d/*.yaml\npools: {}\nservices: {}\n")
    assert load_cluster(tmp_path / "main.yaml").pools == {}


def test_problems_stand_in_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text("include: a.yaml\npools: {x: {servers: bad}}\nodd: 1\n")
    (tmp_path / "a.yaml").write_text("pools: {y: {servers: bad}}")
    found = problems_of(tmp_path / "main.yaml").splitlines()
    assert [line.split(":")[:2] for line in found] == [
        ["main.yaml", "2"],
        ["main.yaml", "3"],
        ["a.yaml", "1"],
    ]


def test_a_circle_and_a_file_that_comes_twice(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text("include: [a.yaml, b.yaml, ./a.yaml]")
    (tmp_path / "a.yaml").write_text("include: main.yaml")
    (tmp_path / "b.yaml").write_text("pools: {}")
    found = problems_of(tmp_path / "main.yaml")
    assert "a.yaml:1:10: 'main.yaml' includes itself in a circle" in found
    assert "main.yaml:1:27:" in found
    assert "is included here and at main.yaml:1:11" in found


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"pools: \xff", "main.yaml:1:8: byte 0xff is not UTF-8"),
        (b"pools:\n  a\xc3\x28", "main.yaml:2:4: byte 0xc3 is not UTF-8"),
        (bytes(range(256)), "not UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00", "not YAML"),
        (b"", "the file is empty"),
        (b"- a\n", "the file is not a mapping"),
        (b"a: " + b"x" * files.FILE_LIMIT_BYTES, f"more than {files.FILE_LIMIT_BYTES} bytes"),
    ],
)
def test_bytes_that_are_no_rules_file(tmp_path: Path, data: bytes, problem: str) -> None:
    (tmp_path / "main.yaml").write_bytes(data)
    assert problem in problems_of(tmp_path / "main.yaml")


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_bytes(b"\xef\xbb\xbfpools: {}\n")
    assert load_cluster(tmp_path / "main.yaml").pools == {}


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in problems_of(tmp_path / "fifo")
    assert "not a regular file" in problems_of(tmp_path)
    assert "no such file" in problems_of(tmp_path / "missing.yaml")
    assert "not a regular file" in problems_of(Path("/dev/zero"))
    assert "is not a file name" in problems_of(Path("a\0b"))


def test_many_files_and_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILES_LIMIT", 4)
    (tmp_path / "main.yaml").write_text("include: 'x*.yaml'\n")
    for number in range(9):
        (tmp_path / f"x{number}.yaml").write_text("pools: {}\n")
    assert problems_of(tmp_path / "main.yaml").count("more than 4 files") == 1
    monkeypatch.setattr(files, "FILES_LIMIT", 40)
    monkeypatch.setattr(files, "TOTAL_LIMIT_BYTES", 50)
    assert "all together exceed 50 bytes" in problems_of(tmp_path / "main.yaml").replace(
        "files together", "together"
    )
