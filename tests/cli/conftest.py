from collections.abc import Iterator

import pytest

from l7lb.cli.main import main
from l7lb.director.paths import CONTROL_VARIABLE
from support.running_director import Command, Director, Origin


@pytest.fixture(scope="session")
def director(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Director]:
    """One for all commands; each test leaves it as it was."""
    pair = Origin("a"), Origin("b")
    made = Director(tmp_path_factory.mktemp("director"), *pair)
    yield made.start()
    made.close()
    for origin in pair:
        origin.close()


@pytest.fixture
def command(
    director: Director, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run `l7lb …` against the director: exit status, output, errors."""
    monkeypatch.setenv(CONTROL_VARIABLE, str(director.control))

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as stop:
            code = int(str(stop.code))
        found = capsys.readouterr()
        return code, found.out, found.err

    return run
