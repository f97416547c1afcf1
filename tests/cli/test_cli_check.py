"""`l7lb check`, `show` and `schema`: exit status and what is said where."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from l7lb.cli import check, schema, show
from l7lb.cli.main import Verb
from l7lb.config.load import load_cluster

GOOD = """\
pools: {web: {servers: [10.0.0.1:80, 10.0.0.2:80]}}
services: {www: {protocol: http, listen: "*:80", routes: [{pool: web}]}}
"""


def run(verb: Verb, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(arguments))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(check, str(file)) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{file}: good; 1 service, 1 route, 1 pool, 2 servers\n", "")


def test_quiet(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(check, "-q", str(file)) == 0
    assert capsys.readouterr() == ("", "")


def test_warnings_do_not_fail(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("pools: {web: {servers: {address: 10.0.0.1:80, weight: 0}}}")
    assert run(check, str(file)) == 0
    assert capsys.readouterr().err.startswith(f"warning: {file}:1:24: every server has weight 0")


def test_a_bad_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(GOOD.replace("web}", "wbe}").replace("*:80", "*"))
    assert run(check, str(file)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == f"{file}:2:42: '*' has no port (such as *:80)"
    assert lines[1].startswith(f"{file}:2:63: unknown pool 'wbe' (did you mean 'web'?")
    assert lines[2] == f"{file}: 2 problems"


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "missing.yaml")
    assert run(check, missing) == 2
    assert "cannot be read: no such file or directory" in capsys.readouterr().err
    assert run(show, "--effective", missing) == 2


def test_the_effective_form_is_a_rules_file(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(show, "--effective", str(file)) == 0
    again = tmp_path / "again.yaml"
    again.write_text(capsys.readouterr().out)
    assert load_cluster(again).pools == load_cluster(file).pools


def test_a_secret_is_never_shown(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("L7LB_TEST_SECRET", "0123456789abcdef")
    file.write_text(GOOD + "director: {cookie_secret: {env: L7LB_TEST_SECRET}}\n")
    assert run(show, "--effective", str(file)) == 0
    out = capsys.readouterr().out
    assert out.startswith("# director.cookie_secret is set; it is never shown\n")
    assert "0123456789abcdef" not in out


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(schema) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "l7lb rules file"
