"""Loading a rules file: the one door to this package for everybody else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from l7lb.config.compile import cluster_spec
from l7lb.config.files import FileTree
from l7lb.config.refusal import Problems
from l7lb.config.scope import Scope
from l7lb.errors import Problem
from l7lb.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class Loaded:
    spec: ClusterSpec
    warnings: tuple[Problem, ...]
    """Doubtful, but usable."""


def load_cluster(path: str | os.PathLike[str]) -> ClusterSpec:
    """Read, check and compile a rules file with all that it includes.

    Raises ConfigError, and nothing else, with every problem in the order of the files.
    Reads the certificates and secrets that the file names, to see whether they can be used.
    """
    return load(path).spec


def load(path: str | os.PathLike[str]) -> Loaded:
    """As `load_cluster`, with the warnings."""
    problems = Problems()
    tree = FileTree(os.fspath(path), problems)
    files = tuple(str(Path(file).absolute()) for file in tree.files)
    if not tree.is_whole:
        problems.raise_if_any(tree.files)
    spec = cluster_spec(Scope(tree.root, problems), files)
    problems.raise_if_any(tree.files)
    return Loaded(spec, tuple(problems.warnings(tree.files)))
