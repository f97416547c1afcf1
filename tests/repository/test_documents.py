"""The documents tell the truth where a machine can tell: rules files load, links lead somewhere."""

import re
from pathlib import Path

import pytest
import trustme

from l7lb.cli.main import main
from l7lb.config.load import load

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"))
    if "build" not in path.parts
)
RULES = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    if path.name != "configuration.md"
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL))
]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the certificates and secrets that the documents name."""
    authority = trustme.CA()
    certificates = tmp_path / "certs"
    certificates.mkdir()
    for name in ("www", "api"):
        issued = authority.issue_cert(f"{name}.example.org")
        issued.private_key_and_cert_chain_pem.write_to_path(certificates / f"{name}.pem")
        issued.private_key_pem.write_to_path(certificates / f"{name}.key")
    for name in ("clients-ca", "servers-ca"):
        authority.cert_pem.write_to_path(certificates / f"{name}.pem")
    monkeypatch.setenv("L7LB_COOKIE_SECRET", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("L7LB_LDAP_PASSWORD", "director-secret")
    monkeypatch.setenv("L7LB_MASTER_SECRET", "only-for-the-demo")
    (tmp_path / "users.yaml").write_text("users: {}\n")
    (tmp_path / "media.key").write_text("0123456789abcdef0123456789abcdef\n")
    return tmp_path


@pytest.mark.parametrize("block", RULES)
def test_rules_file_is_good(block: str, directory: Path) -> None:
    file = directory / "cluster.yaml"
    file.write_text(block.replace("/etc/l7lb/", f"{directory}/"))
    loaded = load(file)
    assert loaded.spec.services
    assert not loaded.warnings


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]*)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_compose_rules_file_is_good(directory: Path) -> None:
    assert load(ROOT / "deploy/cluster.yaml").spec.services


def test_readme_shows_what_explain_says(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text()
    shown = re.search(r"\$ l7lb (explain .*?)\n(.*?)```", text, re.DOTALL)
    rules = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert shown
    assert rules
    (directory / "cluster.yaml").write_text(rules[1])
    monkeypatch.chdir(directory)
    command = shown[1].split(" -H ")
    header = command[1].strip("'")
    assert main([*command[0].split(), "-H", header]) == 0
    assert capsys.readouterr().out == shown[2]


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 250
