"""The tree keeps the shape that CONTRIBUTING promises."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "l7lb": ROOT / "l7lb",
    "l7lb_protocols": ROOT / "protocols/l7lb_protocols",
    "l7lb_storage": ROOT / "storage/l7lb_storage",
}
LINES = 500
FORBIDDEN = {"manager", "helper", "helpers", "util", "utils", "misc", "common"}


def is_source(path: Path) -> bool:
    return path.name not in {"__init__.py", "__main__.py"}


SOURCES = sorted(
    path for folder in PACKAGES.values() for path in folder.rglob("*.py") if is_source(path)
)
TESTS = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_source_file_is_one_room(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= LINES


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_source_file_has_a_test_file_of_its_name(source: Path) -> None:
    """`test_table.py`, `test_routing_table.py` or `test_table_index.py` for routing/table.py."""
    name = re.compile(rf"test_(.+_)?{source.stem}(_.+)?")
    assert any(map(name.fullmatch, TESTS))


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_source_file_says_what_it_owns(source: Path) -> None:
    assert ast.get_docstring(ast.parse(source.read_text()))


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_names_say_something(source: Path) -> None:
    words = set(relative(source).removesuffix(".py").replace("/", "_").split("_"))
    assert not words & FORBIDDEN


def test_no_python_in_ldap() -> None:
    """A module there would hide python-ldap's package `ldap` in a checkout."""
    assert not list((ROOT / "ldap").rglob("*.py*"))


def test_test_files_have_names_of_their_own() -> None:
    files = [path.stem for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(set(files)) == sorted(files)
