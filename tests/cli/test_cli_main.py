"""The command line as a whole."""

import subprocess
import sys

import pytest

import l7lb
from l7lb.cli import main as main_module
from l7lb.cli.client import NotAnswered, Refused
from l7lb.cli.main import VERBS, load, main, parser


def test_every_verb_is_a_module_with_its_name() -> None:
    for name in VERBS:
        assert name.replace("_", "-") == load(name).NAME
        assert load(name).HELP


def test_the_verbs_of_the_design_are_there() -> None:
    wanted = "run check explain diff show schema demo status reload drain weight disable enable"
    assert set(wanted.split()) <= set(VERBS)


def test_help_lists_all_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    words = {line.split()[0] for line in shown.splitlines() if line.startswith("    ")}
    assert words >= {name.replace("_", "-") for name in VERBS}


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"l7lb {l7lb.__version__}\n"


@pytest.mark.parametrize("words", [[], ["frobnicate"], ["drain"], ["drain", "web"], ["run"]])
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: l7lb" in capsys.readouterr().err


def test_only_the_verb_that_is_asked_for_is_imported() -> None:
    program = (
        "import sys; from l7lb.cli.main import parser; parser(('drain',));"
        "sys.exit(any(n in sys.modules for n in ('aiohttp', 'pydantic_core', 'l7lb.net.engine')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (NotAnswered("nobody"), 1, "l7lb: nobody"),
        (Refused(404, {"error": "no pool"}), 1, "l7lb: no pool"),
        (
            Refused(422, {"problems": [
                {"file": "f", "line": 1, "column": 2, "message": "bad", "hint": "good"}]}),
            2,
            "f:1:2: bad (good)",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)  # fmt: skip
def test_failures_are_told_in_one_line(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(args: object) -> int:
        raise error

    made = parser(("status",))
    made.set_defaults(run=fail)
    monkeypatch.setattr(main_module.load("status"), "run", fail)
    assert main(["status"]) == status
    assert capsys.readouterr().err.strip() == said


def test_the_package_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "l7lb", "--version"], check=True, capture_output=True, text=True
    )
    assert done.stdout == f"l7lb {l7lb.__version__}\n"


def test_a_reader_that_leaves_is_no_trace() -> None:
    program = f"{sys.executable} -m l7lb schema | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], check=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
