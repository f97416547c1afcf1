"""docker-compose.yml for real: built, brought up, a director stopped, taken down."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from support.docker_engine import BASE, BASE_TAR, Engine, engine, make_base

pytestmark = pytest.mark.timeout(2000)

FILES = ("-f", "docker-compose.yml")
BUILD_FILES = (*FILES, "-f", "tests/docker/build-network.yml")
DIRECTORS = ("198.18.40.11", "198.18.40.12")
ORIGINS = {"origin-1", "origin-2", "origin-3"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Engine]:
    make_base()
    with engine() as here:
        with here.for_builds():
            certificates = "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
            here.docker("import", "--change", certificates, str(BASE_TAR), BASE)
            here.compose(*BUILD_FILES, "build", limit_s=1500)
        with here.for_containers():
            try:
                here.compose(*FILES, "up", "-d", "--no-build")
                yield here
            finally:
                here.compose(*FILES, "down", "--volumes", "--timeout", "10")


def ask(cluster: Engine, director: str, *options: str) -> dict[str, str]:
    """The fields of one reply, by lower-case name."""
    url = f"http://{director}:8080/"
    head = cluster.inside("curl", "-sS", "-m", "10", "-o", "/dev/null", "-D", "-", *options, url)
    first, *lines = head.splitlines()
    assert first.split()[1] == "200", head
    fields = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in fields}


def container(cluster: Engine, service: str) -> str:
    return cluster.compose(*FILES, "ps", "-q", service).strip()


def reports(cluster: Engine) -> list[dict[str, dict[str, int]]]:
    lines = cluster.docker("logs", container(cluster, "client")).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def visits(cluster: Engine, since: int) -> Counter[str]:
    """Good visits by director in the reports from `since` on."""
    return sum((Counter(report["directors"]) for report in reports(cluster)[since:]), Counter())


@pytest.mark.parametrize("director", DIRECTORS)
def test_each_director_reaches_every_origin(cluster: Engine, director: str) -> None:
    seen = Counter(ask(cluster, director)["x-origin"] for _ in range(24))
    assert set(seen) == ORIGINS


def test_a_cookie_of_one_director_is_good_at_the_other(cluster: Engine) -> None:
    first = ask(cluster, DIRECTORS[0])
    cookie = first["set-cookie"].partition(";")[0]
    again = {ask(cluster, DIRECTORS[1], "-b", cookie)["x-origin"] for _ in range(12)}
    assert again == {first["x-origin"]}


@pytest.mark.parametrize("service", ["director-1", "origin-1", "origin-3", "client"])
def test_roles_have_no_privileges(cluster: Engine, service: str) -> None:
    status = cluster.docker("exec", container(cluster, service), "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert fields["Uid"].split()[0] != "0"
    root = cluster.docker("exec", container(cluster, service), "cat", "/proc/1/mounts")
    assert " / overlay ro," in root.splitlines()[0]


def test_traffic_goes_on_when_a_director_stops(cluster: Engine) -> None:
    before = len(reports(cluster))
    cluster.compose(*FILES, "stop", "director-1")
    stopped = len(reports(cluster)) + 1
    while visits(cluster, stopped)[DIRECTORS[1]] < 20:
        ask(cluster, DIRECTORS[1])
    assert set(visits(cluster, stopped)) == {DIRECTORS[1]}
    assert all(report["failed"] == 0 for report in reports(cluster)[before:])


def test_the_client_sums_up_without_a_failure(cluster: Engine) -> None:
    """Last: it stops the client."""
    client = container(cluster, "client")
    cluster.compose(*FILES, "stop", "client")
    total = cluster.docker("logs", client).splitlines()[-1]
    assert total.startswith("sum ")
    assert json.loads(total.removeprefix("sum "))["failed"] == 0
    assert cluster.docker("inspect", "-f", "{{.State.ExitCode}}", client).strip() == "0"
