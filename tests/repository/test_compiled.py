"""Each test run really runs on the build that it says it runs on."""

import importlib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = bool(os.environ.get("L7LB_PURE"))


def hot_modules() -> list[str]:
    names = []
    for line in (ROOT / "setup.py").read_text().splitlines():
        path = line.strip().strip(",").strip('"')
        if line.startswith('    "') and path.endswith(".py"):
            names.append(path.removesuffix(".py").removeprefix("protocols/").replace("/", "."))
    return names


@pytest.mark.parametrize("name", hot_modules())
def test_module_is_compiled_exactly_when_it_should_be(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert file.endswith(".py" if PURE else ".so")


def test_uncompiled_run_imports_the_copy() -> None:
    file = importlib.import_module("l7lb").__file__
    assert file is not None
    assert ("build/pure" in file) is PURE
