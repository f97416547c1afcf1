"""The control API of a running director."""

import json
import signal
from collections.abc import Iterator

import pytest

from l7lb.cli.client import Json, Refused, UnixConnection, server_target
from l7lb.director.control import BODY_LIMIT_BYTES
from support.running_director import Director, Origin, until


def ask(director: Director, method: str, target: str, body: bytes = b"") -> tuple[int, Json]:
    connection = UnixConnection(director.control, 30)
    connection.request(method, target, body)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Director]:
    """One for all tests that change nothing."""
    pair = Origin("a"), Origin("b")
    made = Director(tmp_path_factory.mktemp("standing"), *pair)
    yield made.start()
    made.close()
    for origin in pair:
        origin.close()


def test_drain_disable_enable_and_weight(director: Director) -> None:
    post = director.client.post
    assert post(server_target("web", "a", "drain"), {"deadline_s": 600})["admin"] == "drain"
    assert {director.ask() for _ in range(4)} == {"b"}
    assert director.server("a")["state"] == "draining"
    assert 590 < float(str(director.server("a")["drain_left_s"])) <= 600
    assert post(server_target("web", "a", "enable"))["admin"] == "ready"
    assert {director.ask() for _ in range(4)} == {"a", "b"}
    post(server_target("web", "b", "disable"))
    assert director.server("b")["state"] == "disabled"
    assert {director.ask() for _ in range(4)} == {"a"}
    post(server_target("web", "b", "enable"))
    post(server_target("web", "a", "weight"), {"weight": 7})
    assert director.server("a")["weight"] == 7
    assert director.server("a")["weight_in_file"] == 1
    post(server_target("web", "a", "weight"), {"weight": None})
    assert director.server("a")["weight"] == 1
    assert len(director.events("admin-set")) == 4
    assert len(director.events("weight-set")) == 2


def test_the_administrators_word_survives_restart_reload_and_workers(director: Director) -> None:
    director.client.post(server_target("web", "a", "drain"), {"deadline_s": 600})
    director.client.post(server_target("web", "b", "weight"), {"weight": 5})
    director.client.post("/v1/reload")
    assert {director.ask() for _ in range(4)} == {"b"}
    director.signal(signal.SIGTERM)
    assert director.wait() == 0
    director.start()
    assert director.server("a")["state"] == "draining"
    assert director.server("b")["weight"] == 5
    assert {director.ask() for _ in range(4)} == {"b"}


def test_it_is_forgotten_when_the_server_leaves_the_file(director: Director) -> None:
    origins = director.origins
    director.client.post(server_target("web", "b", "disable"))
    director.origins = origins[:1]
    director.write()
    director.client.post("/v1/reload")
    director.origins = origins
    director.write()
    director.client.post("/v1/reload")
    until(lambda: {director.ask() for _ in range(4)} == {"a", "b"}, "both servers")
    assert director.server("b")["admin"] == "ready"


def test_a_name_with_a_slash_or_a_space_finds_its_way(standing: Director) -> None:
    with pytest.raises(Refused, match="no server 'unix:/x y' in pool 'web'"):
        standing.client.post(server_target("web", "unix:/x y", "drain"))


@pytest.mark.parametrize(
    ("target", "body", "status", "said"),
    [
        (server_target("wbe", "a", "drain"), b"", 404, "did you mean web?"),
        (server_target("web", "aa", "drain"), b"", 404, "did you mean a?"),
        (server_target("web", "a", "weight"), b"", 400, "weight must be"),
        (server_target("web", "a", "weight"), b'{"weight": 65536}', 400, "0 to 65535"),
        (server_target("web", "a", "weight"), b'{"weight": true}', 400, "weight must be"),
        (server_target("web", "a", "drain"), b'{"deadline_s": "1"}', 400, "number"),
        (server_target("web", "a", "drain"), b'{"deadline_s": -1}', 400, "deadline"),
        (server_target("web", "a", "drain"), b"[]", 400, "object"),
        (server_target("web", "a", "drain"), b"{", 400, "not JSON"),
        ("/v1/diff", b'{"path": "relative.yaml"}', 400, "absolute"),
        ("/v1/nothing", b"", 404, "Not Found"),
        ("/v1/status", b"", 405, "Method Not Allowed"),
    ],
)
def test_refusals_are_json_with_a_reason(
    standing: Director, target: str, body: bytes, status: int, said: str
) -> None:
    answered, answer = ask(standing, "POST", target, body)
    assert answered == status
    assert said in str(answer["error"])


def test_a_body_over_the_limit_is_refused(standing: Director) -> None:
    status, _ = ask(standing, "POST", "/v1/diff", b" " * (BODY_LIMIT_BYTES + 1))
    assert status == 413


def test_diff_by_path_and_by_text(standing: Director) -> None:
    text = standing.file.read_text()
    other = standing.folder / "other.yaml"
    other.write_text(text.replace("workers: 2", "workers: 3"))
    by_path = standing.client.post("/v1/diff", {"path": str(other)})["changes"]
    by_text = standing.client.post("/v1/diff", {"text": other.read_text()})["changes"]
    assert by_path == by_text
    assert by_path == [
        {"kind": "changed", "what": "director", "name": "director", "details": ["workers 2 → 3"]}
    ]
    assert standing.client.post("/v1/diff", {"text": text})["changes"] == []
    with pytest.raises(Refused) as caught:
        standing.client.post("/v1/diff", {"text": "pools: 3"})
    assert caught.value.status == 422


def test_events_by_number_and_limit(standing: Director) -> None:
    every = standing.events()
    numbers = [int(str(event["number"])) for event in every]
    assert numbers == sorted(numbers)
    after = standing.client.get(f"/v1/events?after={numbers[1]}&limit=1000")["events"]
    assert isinstance(after, list)
    assert [event["number"] for event in after][: len(numbers) - 2] == numbers[2:]
    last = standing.client.get("/v1/events?limit=1")["events"]
    assert isinstance(last, list)
    assert len(last) == 1
    with pytest.raises(Refused, match="whole number"):
        standing.client.get("/v1/events?after=-1")


def test_config_is_a_rules_file_again(standing: Director) -> None:
    text = standing.client.text("/v1/config")
    assert standing.client.post("/v1/diff", {"text": text})["changes"] == []


def test_health_shows_the_last_reply(standing: Director) -> None:
    probes = standing.client.get("/v1/health")["probes"]
    assert isinstance(probes, dict)
    assert probes["web"]["a"]["health"] == "up"
