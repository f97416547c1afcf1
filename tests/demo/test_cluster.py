import asyncio
import importlib.util
import socket
from pathlib import Path

import pytest

from l7lb.demo import cluster as module
from l7lb.demo.client import Visit, get
from l7lb.demo.cluster import (
    Cluster,
    DemoFailed,
    answers,
    find_nginx,
    free_ports,
    has_mail_server,
    listening,
)
from l7lb.demo.processes import Processes


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert not any(map(listening, ports))


def test_preferred_port_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        monkeypatch.setattr(module, "PREFERRED", (busy.getsockname()[1],))
        assert busy.getsockname()[1] not in free_ports(2)


@pytest.mark.parametrize("name", ["web-1", "web-3"], ids=["nginx", "python"])
def test_origin_starts_dies_and_starts_again(tmp_path: Path, name: str) -> None:
    nginx = find_nginx()
    assert nginx, "the package nginx is not installed"
    cluster = Cluster(tmp_path, nginx, mail=False)
    origin = next(origin for origin in cluster.spec.origins if origin.name == name)
    (tmp_path / name).mkdir()
    for _ in range(2):
        cluster.start_origin(origin)
        reply = asyncio.run(get(("127.0.0.1", origin.port), Visit("/")))
        assert (reply.status, reply.origin) == (200, name)
        cluster.kill(name)
        cluster.processes.stop(name)
        assert not listening(origin.port)
    cluster.stop()


def test_origin_that_does_not_come_up_is_named_with_its_log(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "/bin/false", mail=False)
    origin = cluster.spec.origins[0]
    (tmp_path / origin.name).mkdir()
    with pytest.raises(DemoFailed, match=f"{origin.name} did not come up; see .*{origin.name}.log"):
        cluster.start_origin(origin)
    cluster.stop()


def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "/bin/false", mail=False)
    with pytest.raises(DemoFailed):
        cluster.start()
    assert Processes.load(tmp_path / "processes.json").stop_all() == 0


def test_a_new_demo_forgets_what_an_earlier_one_drained(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/kept").touch()
    with pytest.raises(DemoFailed):
        Cluster(tmp_path, "/bin/false", mail=False).start()
    assert list((tmp_path / "state").iterdir()) == []


def test_mail_servers_start_die_and_start_again(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, None, mail=True)
    spec = cluster.spec.mail
    assert spec is not None
    try:
        cluster.start_mail(spec)
        first, other = spec.servers
        cluster.kill(first.name)
        cluster.processes.stop(first.name)
        assert not listening(first.imap)
        assert listening(other.lmtp)
        cluster.start_mail_server(first)
        assert listening(first.imap)
    finally:
        assert cluster.processes.stop_all() == 3
    assert not answers(spec.lockd)


def test_media_servers_start_die_and_start_again(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, None, mail=False)
    first, other = cluster.spec.film.servers
    try:
        for server in (first, other):
            cluster.start_film_server(server)
        cluster.kill(first.name)
        cluster.processes.stop(first.name)
        assert not listening(first.port)
        assert listening(other.port)
        cluster.start_film_server(first)
        assert listening(first.port)
    finally:
        assert cluster.processes.stop_all() == 2


def test_mail_is_left_out_where_its_server_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_mail_server()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not has_mail_server()
