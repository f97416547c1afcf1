import io
from pathlib import Path
from typing import cast

import pytest

from l7lb.demo import show
from l7lb.demo.cluster import Cluster, DemoFailed
from l7lb.demo.rules import PORTS, plan
from l7lb.demo.scenes import Stage, Unexpected
from l7lb.demo.table import Table


class StandIn:
    def __init__(self, directory: Path, *, mail: bool = True) -> None:
        self.spec = plan(list(range(9001, 9001 + PORTS)), directory, nginx=False, mail=mail)
        self.stopped = 0

    def start(self) -> None: ...

    def stop(self) -> None:
        self.stopped += 1


def verdict(failures: list[str], *, leave: bool) -> tuple[int, int, str]:
    """Exit status, how often the cluster was stopped, and what was said."""
    cluster, out = StandIn(Path("/demo")), io.StringIO()
    stage = Stage(cast("Cluster", cluster), Table(out, []))
    stage.failures = failures
    status = show.close(cast("Cluster", cluster), stage, "l7lb", leave=leave)
    return status, cluster.stopped, out.getvalue()


def test_good_cluster_stays_when_asked_to() -> None:
    status, stopped, said = verdict([], leave=True)
    assert (status, stopped) == (0, 0)
    assert "`l7lb demo --stop` ends it" in said


def test_good_cluster_goes_otherwise() -> None:
    status, stopped, said = verdict([], leave=False)
    assert (status, stopped) == (0, 1)
    assert "`l7lb demo --leave` keeps it up" in said


def test_failures_are_shown_and_end_it() -> None:
    status, stopped, said = verdict(["/: status 502"], leave=True)
    assert (status, stopped) == (1, 1)
    assert "1 failed." in said
    assert "/: status 502" in said


def test_paths_as_the_user_would_type_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert show.relative(tmp_path / "build/x") == Path("build/x")
    assert show.relative(Path("/elsewhere/x")) == Path("/elsewhere/x")


@pytest.mark.parametrize("error", [Unexpected("as told"), DemoFailed("as told")])
def test_a_scene_that_goes_wrong_fails_the_demo(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = []

    def cluster(directory: Path, nginx: str | None, *, mail: bool) -> StandIn:
        made.append(StandIn(directory, mail=mail))
        return made[0]

    async def play(stage: Stage) -> None:
        raise error

    monkeypatch.setattr(show, "Cluster", cluster)
    monkeypatch.setattr(show, "play", play)
    assert show.run(tmp_path, "l7lb", leave=True) == 1
    assert made[0].stopped == 1
    assert "The demo failed: as told" in capsys.readouterr().out


def test_nothing_to_stop(tmp_path: Path) -> None:
    assert show.stop(tmp_path) == 0


@pytest.mark.parametrize("mail", [False, True])
def test_what_is_there_is_introduced_and_to_be_tried(mail: bool) -> None:
    out = io.StringIO()
    cluster = cast("Cluster", StandIn(Path("/demo"), mail=mail))
    show.introduce(cluster, Table(out, []))
    assert "rtsp://127.0.0.1:9005/clip" in out.getvalue()
    commands = "\n".join(show.commands(cluster, "l7lb"))
    assert ("pip install 'l7lb[mailserver]'" in out.getvalue()) != mail
    assert ("imap 127.0.0.1:9002" in out.getvalue()) == mail
    assert "ffplay -rtsp_transport udp rtsp://127.0.0.1:9005/clip" in commands
    assert ("l7lb kick alice@demo.test" in commands) == mail
