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
TESTS = {path.stem: path for path in (ROOT / "tests").rglob("test_*.py")}


def imports(path: Path) -> set[str]:
    """Modules, and names in modules, that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


IMPORTED = set[str]().union(*map(imports, TESTS.values()))


def module_name(path: Path) -> str:
    folder = next(folder for folder in PACKAGES.values() if path.is_relative_to(folder))
    return ".".join(path.relative_to(folder.parent).with_suffix("").parts)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_source_file_is_one_room(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= LINES


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_source_file_has_a_test_file(source: Path) -> None:
    """One of its name (test_table.py or test_routing_table.py for routing/table.py), one of its
    family's (test_probe.py for probe_tcp.py), or one that imports it by its name."""
    family = source.stem.split("_")[0]
    name = re.compile(rf"test_(.+_)?({source.stem}|{family})(_.+)?")
    assert any(map(name.fullmatch, TESTS)) or module_name(source) in IMPORTED


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
