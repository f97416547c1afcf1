"""Rules files for the tests of the configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from l7lb.config.load import load_cluster
from l7lb.errors import ConfigError
from l7lb.model import ClusterSpec

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
SECRET = b"0123456789abcdef0123456789abcdef"

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def pem_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, www.pem (chain and key), client.pem and client.key."""
    folder = tmp_path_factory.mktemp("certs")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("www", "client"):
        issued = authority.issue_cert(f"{name}.example.org")
        if name == "www":
            issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "www.pem"))
            continue
        issued.private_key_pem.write_to_path(str(folder / "client.key"))
        for part in issued.cert_chain_pems:
            part.write_to_path(str(folder / "client.pem"), append=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path, pem_files: Path) -> Path:
    """A folder with the good rules files, certificates and a secret."""
    shutil.copytree(GOLDEN / "good", tmp_path, dirs_exist_ok=True)
    shutil.copytree(pem_files, tmp_path / "certs")
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    return tmp_path


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Compile this text."""

    def load_text(text: str) -> ClusterSpec:
        path = tmp_path / "rules.yaml"
        path.write_text(text)
        return load_cluster(path)

    return load_text


@pytest.fixture
def complaints(load: Load, tmp_path: Path) -> Complaints:
    """What is wrong with this text, one string for each problem, without the folder."""

    def complaints_of(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return complaints_of
