"""`l7lb status`."""

import copy
import json

import pytest

from l7lb.cli import status
from l7lb.cli.client import Json
from support.running_director import Command, Director


def test_tables_of_services_and_servers(command: Command, director: Director) -> None:
    code, out, _ = command("status")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("l7lb 0.1.0, running, up ")
    assert "2 of 2 workers answer" in lines[0]
    assert str(director.file) in lines[1]
    tables = [line.split() for line in lines if line]
    assert tables[2][:3] == ["SERVICE", "LISTEN", "ACTIVE"]
    assert tables[3][:2] == ["www", "127.0.0.1:0"]
    assert tables[4][:4] == ["POOL", "SERVER", "STATE", "SINCE"]
    assert tables[5][:3] == ["web", "a", "up"]
    assert tables[6][:2] == ["b", "up"]


def test_json_is_all_of_it(command: Command, director: Director) -> None:
    shown = json.loads(command("status", "--json")[1])
    assert shown.keys() == director.status().keys()


def test_watch_goes_on_until_interrupted(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(status.time, "sleep", wait)
    code, out, _ = command("status", "--watch")
    assert code == 130
    assert out.count("SERVICE") == 3
    assert status.CLEAR not in out


@pytest.fixture(scope="module")
def answer(director: Director) -> Json:
    return director.status()


def page(answer: Json, **server: object) -> str:
    """The page with the first server changed."""
    changed = copy.deepcopy(answer)
    pools = changed["pools"]
    assert isinstance(pools, list)
    pools[0]["servers"][0].update(server)
    return "\n".join(status.lines(changed))


def test_states_are_told_with_what_is_left_of_them(answer: Json) -> None:
    draining = page(answer, state="draining", admin="drain", drain_left_s=90.0, admin_age_s=5.0)
    assert " draining 1m30s " in draining
    assert " ejected 30s " in page(answer, state="ejected", ejected_for_s=30.0)
    out = page(answer, state="disabled", admin="disabled", health="down", admin_age_s=7200.0)
    assert " disabled (down) " in out
    assert " 2h " in out


def test_weights_that_were_set_show_the_files_too(answer: Json) -> None:
    assert " 7 (file 1) " in page(answer, weight=7)


def test_a_server_without_check_has_no_age(answer: Json) -> None:
    out = page(answer, state="unknown", health="unknown", check={"detail": "not checked"})
    assert "not checked\n" in out
    assert "not checked," not in out


def test_unknown_workers_and_refusals_are_told(answer: Json) -> None:
    changed = copy.deepcopy(answer)
    workers = changed["workers"]
    assert isinstance(workers, list)
    workers[0].update(answered=False)
    workers[1].update(refusal="no such certificate")
    changed["workers_unknown"] = [0]
    lines = status.lines(changed)
    assert "1 of 2 workers answer" in lines[0]
    assert lines[2].startswith("unknown: workers [0] did not answer")
    assert lines[3] == "worker 1 refused the file: no such certificate"


def test_the_store_and_whose_it_is(answer: Json) -> None:
    store = {"engine": "lockd", "state": "answers", "age_s": 5.0, "unsent": 0}
    assert "store lockd answers since 5" in "\n".join(status.lines({**answer, "store": store}))
    own = store | {"embedded": {"state": "runs", "pid": 7, "starts": 1, "age_s": 5.0}}
    said = "\n".join(status.lines({**answer, "store": own}))
    assert "store embedded, pid 7, runs: lockd answers since 5" in said
    own = store | {"embedded": {"state": "down", "pid": None, "starts": 1, "age_s": 5.0}}
    assert "store embedded, no process, down: " in "\n".join(status.lines({**answer, "store": own}))
