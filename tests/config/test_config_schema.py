"""The published schema and the reference page are true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from l7lb.config import reference
from l7lb.config.fields import Section
from l7lb.config.schema import json_schema
from l7lb.config.schema_cluster import Cluster
from l7lb.config.validate import known_keys
from l7lb.model import ListenTls
from l7lb.model_http import HttpOptions

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "config"
REFERENCE = ROOT / "docs" / "reference"


def sections(section: type[BaseModel] = Section) -> Iterator[type[BaseModel]]:
    for each in section.__subclasses__():
        yield each
        yield from sections(each)


def test_the_page_is_up_to_date() -> None:
    assert (REFERENCE / reference.PAGE).read_text() == reference.markdown(), (
        "run python -m l7lb.config.reference docs/reference"
    )


def test_the_schema_is_up_to_date() -> None:
    assert (REFERENCE / reference.SCHEMA).read_text() == reference.schema_text()


def test_writing_makes_both_files(tmp_path: Path) -> None:
    reference.write(tmp_path / "new")
    assert json.loads((tmp_path / "new" / reference.SCHEMA).read_text()) == json_schema()
    assert (tmp_path / "new" / reference.PAGE).read_text() == reference.markdown()


def test_every_key_is_described() -> None:
    page = reference.markdown()
    missing = [
        f"{section.__name__}.{name}"
        for section in sections()
        for name, field in section.model_fields.items()
        if not field.description or f"| `{field.alias or name}` |" not in page
    ]
    assert missing == []


def test_every_section_is_described_and_reached() -> None:
    schema = json_schema()
    assert set(schema["$defs"]) == {each.__name__ for each in sections()} - {Cluster.__name__}
    assert [each.__name__ for each in sections() if not each.__doc__] == []


def test_every_key_says_what_it_takes() -> None:
    rows = [
        line.split(" | ") for line in reference.markdown().splitlines() if line.startswith("| `")
    ]
    assert len(rows) > 150
    assert [row for row in rows if not row[1].strip()] == []


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "path", sorted((GOLDEN / "good").rglob("*.yaml")), ids=lambda path: path.name
)
def test_good_files_satisfy_the_schema(path: Path) -> None:
    tree = YAML(typ="safe", pure=True).load(path.read_text())
    jsonschema.Draft202012Validator(json_schema()).validate(tree)


@pytest.mark.parametrize("name", ["many", "pools", "routes", "services", "later", "directory"])
def test_bad_files_do_not(name: str) -> None:
    tree = YAML(typ="safe", pure=True).load((GOLDEN / "bad" / f"{name}.yaml").read_text())
    assert list(jsonschema.Draft202012Validator(json_schema()).iter_errors(tree))


def test_defaults_are_written_as_in_the_file() -> None:
    defs = json_schema()["$defs"]
    assert defs["Check"]["properties"]["every"]["default"] == "2s"
    assert defs["Check"]["properties"]["status"]["default"] == ["200-399"]
    assert defs["Pool"]["properties"]["scheduler"]["default"] == "wlc"
    assert defs["Pool"]["properties"]["panic_threshold"]["default"] == "20%"
    assert defs["Pool"]["properties"]["send_proxy"]["default"] == "none"
    assert defs["Limits"]["properties"]["head"]["default"] == "32KiB"
    assert defs["Director"]["properties"]["workers"]["default"] == "auto"
    assert "servers" in defs["Pool"]["required"]


def test_lists_that_stand_in_words_are_those_of_the_model() -> None:
    defs = json_schema()["$defs"]
    assert defs["Http"]["properties"]["forwarded"]["default"] == sorted(HttpOptions().forwarded)
    assert defs["ListenTlsSection"]["properties"]["alpn"]["default"] == [*ListenTls(()).alpn]


def test_known_keys_are_those_of_the_file() -> None:
    assert known_keys(Cluster) == [
        "include",
        "pools",
        "services",
        "directory",
        "store",
        "mail",
        "media",
        "director",
    ]
