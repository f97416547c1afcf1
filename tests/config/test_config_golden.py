"""Whole rules files: the good against their effective form, the bad against what is said of them.

With UPDATE_GOLDEN in the environment the expected files are written anew: read the difference.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.config.effective import to_yaml
from l7lb.config.load import load_cluster
from l7lb.errors import ConfigError

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
GOOD = sorted(p.name for p in (GOLDEN / "good").glob("*.yaml") if ".effective" not in p.name)
BAD = sorted(path.name for path in (GOLDEN / "bad").glob("*.yaml"))


def expect(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_has_its_effective_form(name: str, folder: Path) -> None:
    text = to_yaml(load_cluster(folder / name)).replace(str(folder), "/folder")
    expect(GOLDEN / "good" / name.replace(".yaml", ".effective.yaml"), text)


@pytest.mark.parametrize("name", GOOD)
def test_the_effective_form_loads_to_the_same(name: str, folder: Path) -> None:
    spec = load_cluster(folder / name)
    (folder / "effective.yaml").write_text(to_yaml(spec))
    again = load_cluster(folder / "effective.yaml")
    director = replace(again.director, cookie_secret=spec.director.cookie_secret)
    assert replace(again, files=spec.files, director=director) == spec


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_every_problem_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN / "bad")
    with pytest.raises(ConfigError) as caught:
        load_cluster(name)
    text = str(caught.value).replace(str(GOLDEN / "bad"), "/folder") + "\n"
    expect(GOLDEN / "bad" / name.replace(".yaml", ".txt"), text)
