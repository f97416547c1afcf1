"""The mail scenes without a director: they must find fault when there is fault."""

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l7lb.demo import mail_client, mail_scenes
from l7lb.demo.mail_client import Inbox, MailFailed, NotNow
from l7lb.demo.mail_rules import USERS
from l7lb.demo.mail_scenes import COLUMNS, MailStage
from l7lb.demo.scenes import Tally, Unexpected
from l7lb.demo.table import Table
from support.demo_mail import OneServer


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MailStage]:
    cluster = OneServer(tmp_path)
    try:
        cluster.start()
        yield MailStage(cluster, Table(io.StringIO(), COLUMNS))
    finally:
        cluster.stop()


def scripted(*answers: Inbox | Exception) -> Callable[[], Inbox]:
    left = iter(answers)

    def ask() -> Inbox:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_scenes, "PAUSE_S", 0.0)


async def test_a_single_server_for_all_is_found_out(stage: MailStage) -> None:
    with pytest.raises(Unexpected, match="imap: "):
        await mail_scenes.one_address(stage)
    copies = len(USERS) * len(mail_scenes.FIRST)
    assert (stage.failures, stage.visits) == ([], 3 * copies)


async def test_mail_that_nobody_takes_is_a_failure(stage: MailStage) -> None:
    stage.cluster.processes.stop("m1")
    await mail_scenes.deliver(stage, "label", ["one", "two"])
    assert len(stage.failures) == 2
    assert "refused" in stage.failures[0]


async def test_whoever_is_told_to_comes_again() -> None:
    tally = Tally()
    ask = scripted(NotNow("later"), NotNow("later"), Inbox("m1", ("a", "b")))
    assert await mail_scenes.read(tally, "alice", ask, ["a", "b"]) == Inbox("m1", ("a", "b"))
    assert (tally.answered, tally.failures) == ({"again": 2, "m1": 2}, [])


async def test_mail_on_its_way_is_waited_for() -> None:
    tally = Tally()
    ask = scripted(Inbox("m1", ()), Inbox("m1", ("a",)), Inbox("m1", ("a", "b")))
    await mail_scenes.read(tally, "alice", ask, ["a", "b"])
    assert (tally.answered, tally.failures) == ({"m1": 2}, [])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Inbox("m1", ("a",)), "alice has 1 of 2 messages"),
        (Inbox("m1", ("a", "b", "b")), "alice has 3 of 2 messages"),
        (NotNow("later"), "later"),
        (MailFailed("no such user"), "no such user"),
    ],
    ids=["lost", "twice", "never", "refused"],
)
async def test_what_is_lost_or_twice_or_refused_is_a_failure(
    answer: Inbox | Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_scenes, "PATIENCE_S", -1.0)
    tally = Tally()
    await mail_scenes.read(tally, "alice", scripted(answer), ["a", "b"])
    assert tally.failures == [said]


async def test_a_dead_server_that_nobody_replaces_is_a_failure(
    stage: MailStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here clients know m1 only."""
    monkeypatch.setattr(mail_scenes, "PATIENCE_S", -1.0)
    for subject in mail_scenes.FIRST:
        await asyncio.to_thread(mail_client.send, stage.smtp, USERS, subject)
    await mail_scenes.survive(stage)
    assert any("refused" in each for each in stage.failures)
