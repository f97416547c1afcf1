"""Nothing of the model is out of the file's reach, and no key of the file is without effect."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from l7lb import model, model_directory, model_hot_files, model_http, model_mail, model_media
from l7lb.config.compile import cluster_spec
from l7lb.config.load import load_cluster
from l7lb.config.nodes import Entry, Listing, Mapping, Node, Scalar
from l7lb.config.refusal import Problems
from l7lb.config.scope import Scope
from l7lb.errors import ConfigError
from l7lb.model import ClusterSpec, Place

ELSEWHERE = {("StaticSpec", "file"), ("StaticSpec", "hash"), ("SecretSpec", "env")}
"""A file has one directory, and a secret one source: these stand in files of their own tests."""
NOT_IN_THE_FILE = {"Place", "Health", "ClusterSpec"}
CLASSES = [
    each
    for module in (
        model,
        model_directory,
        model_hot_files,
        model_http,
        model_mail,
        model_media,
    )
    for name, each in vars(module).items()
    if isinstance(each, type) and each.__module__ == module.__name__ and name not in NOT_IN_THE_FILE
]


def walk(value: object) -> Iterator[object]:
    """All specifications and enum members in a specification."""
    if isinstance(value, StrEnum):
        yield value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield value
        for field in dataclasses.fields(value):
            yield from walk(getattr(value, field.name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, tuple) and not isinstance(value, str):
        for item in value:
            yield from walk(item)


def default_of(field: dataclasses.Field[Any]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if callable(field.default_factory) else dataclasses.MISSING


def test_every_field_of_the_model_is_set(folder: Path) -> None:
    found = list(walk(load_cluster(folder / "everything.yaml")))
    unset = {
        (each.__name__, field.name)
        for each in filter(dataclasses.is_dataclass, CLASSES)
        for field in dataclasses.fields(each)
        if not any(type(o) is each and getattr(o, field.name) != default_of(field) for o in found)
    }
    assert unset == ELSEWHERE


def test_every_kind_of_the_model_is_used(folder: Path) -> None:
    spec = load_cluster(folder / "everything.yaml")
    found = {each for each in walk(spec) if isinstance(each, StrEnum)}
    kinds = [each for each in CLASSES if issubclass(each, StrEnum)]
    unused = {member for kind in kinds for member in kind} - found
    defaults = {
        model.LogFormat.JSON,
        model_directory.PasswordCheck.AUTO,
        model_directory.HashKind.SERVER,
    }
    assert unused - defaults == {
        model_directory.PasswordCheck.BIND,
        model_directory.HashKind.SCRAM,
    }  # one directory has one of each


# --------------------------------------------------------------------------- keys have effects

Steps = tuple[str | int, ...]


def keys_of(value: object, steps: Steps = ()) -> Iterator[Steps]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*steps, key)
            yield from keys_of(item, (*steps, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*steps, index)
            yield from keys_of(item, (*steps, index))


def without(value: Any, steps: Steps) -> Any:
    head, *rest = steps
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[head] = without(copy[head], tuple(rest))
    else:
        del copy[head]
    return copy


def node_of(value: Any, place: Place) -> Node:
    if isinstance(value, dict):
        entries = {key: Entry(place, node_of(item, place)) for key, item in value.items()}
        return Mapping(place, entries)
    if isinstance(value, list):
        return Listing(place, [node_of(item, place) for item in value])
    return Scalar(place, value)


def compiled(tree: Any, folder: Path) -> ClusterSpec | None:
    """None for a tree with problems."""
    problems = Problems()
    place = Place(str(folder / "everything.yaml"), 1, 1)
    spec = cluster_spec(Scope(node_of(tree, place), problems), ())
    return None if len(problems) else spec


def test_every_key_has_an_effect(folder: Path) -> None:
    tree = YAML(typ="safe", pure=True).load((folder / "everything.yaml").read_text())
    del tree["include"]
    whole = compiled(tree, folder)
    assert whole is not None
    keys = list(keys_of(tree))
    assert len(keys) > 300
    assert [steps for steps in keys if compiled(without(tree, steps), folder) == whole] == []


@pytest.mark.parametrize("section", ["balancer", "monitor", "alerts"])
def test_sections_of_later_versions_are_named_as_such(section: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(f"pools: {{}}\n{section}: {{a: b}}\n")
    with pytest.raises(ConfigError, match=f"section '{section}' is not supported by this version"):
        load_cluster(tmp_path / "f.yaml")
