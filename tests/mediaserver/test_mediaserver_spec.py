from pathlib import Path

import pytest

from l7lb.mediaserver.spec import ServerSpec, read_spec


def test_what_is_given_is_taken(tmp_path: Path) -> None:
    words = ["--name=film-1", f"--folder={tmp_path}", "--port=8554", "--timeout=5"]
    assert read_spec(words) == ServerSpec("film-1", tmp_path, 8554, timeout_s=5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("--folder=/not/there", "is no folder"),
        ("--port=65536", "port is out of range"),
        ("--port=-1", "port is out of range"),
        ("--timeout=0", "1 or more"),
        ("--sessions=0", "1 or more"),
        ("--connections=0", "1 or more"),
        ("--name=a\r\nb", "printable"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, wrong: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_spec(["--name=a", f"--folder={tmp_path}", wrong])
