"""docker-compose.yml for real: the web's part of it, and what holds for every container."""

import re
from collections import Counter

import pytest

from support.compose import DIRECTORS, FILES, container, reports, start, total
from support.docker_engine import Engine

pytestmark = pytest.mark.timeout(2000)

ORIGINS = {"origin-1", "origin-2", "origin-3"}
ROLES = (
    *("director-1", "origin-1", "origin-3", "client"),
    *("mail-1", "mail-client", "slapd", "etcd-1"),
)
RELAY_CAPABILITIES = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "FOWNER": 3,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
}


def ask(cluster: Engine, director: str, *options: str) -> dict[str, str]:
    """The fields of one reply, by lower-case name."""
    url = f"http://{director}:8080/"
    head = cluster.inside("curl", "-sS", "-m", "10", "-o", "/dev/null", "-D", "-", *options, url)
    first, *lines = head.splitlines()
    assert first.split()[1] == "200", head
    fields = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in fields}


def visits(cluster: Engine, since: int) -> Counter[str]:
    """Good visits by director in the reports from `since` on."""
    found = reports(cluster, "client")[since:]
    return sum((Counter(report["directors"]) for report in found), Counter())


def privileges(cluster: Engine, service: str) -> dict[str, str]:
    """What the kernel says of the first process, by field; asserts that the root is read-only."""
    root = cluster.docker("exec", container(cluster, service), "cat", "/proc/1/mounts")
    assert " / overlay ro," in root.splitlines()[0]
    status = cluster.docker("exec", container(cluster, service), "cat", "/proc/1/status")
    return dict(re.findall(r"^(\w+):\t(.*)$", status, re.MULTILINE))


@pytest.mark.parametrize("director", DIRECTORS)
def test_each_director_reaches_every_origin(cluster: Engine, director: str) -> None:
    seen = Counter(ask(cluster, director)["x-origin"] for _ in range(24))
    assert set(seen) == ORIGINS


def test_a_cookie_of_one_director_is_good_at_the_other(cluster: Engine) -> None:
    first = ask(cluster, DIRECTORS[0])
    cookie = first["set-cookie"].partition(";")[0]
    again = {ask(cluster, DIRECTORS[1], "-b", cookie)["x-origin"] for _ in range(12)}
    assert again == {first["x-origin"]}


@pytest.mark.parametrize("service", ROLES)
def test_roles_have_no_privileges(cluster: Engine, service: str) -> None:
    fields = privileges(cluster, service)
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert fields["Uid"].split()[0] != "0"


def test_postfix_has_few_privileges(cluster: Engine) -> None:
    fields = privileges(cluster, "relay")
    assert int(fields["CapBnd"], 16) == sum(1 << bit for bit in RELAY_CAPABILITIES.values())
    assert fields["NoNewPrivs"] == "1"


def test_traffic_goes_on_when_a_director_stops(cluster: Engine) -> None:
    before = len(reports(cluster, "client"))
    cluster.compose(*FILES, "stop", "director-1")
    stopped = len(reports(cluster, "client")) + 1
    while visits(cluster, stopped)[DIRECTORS[1]] < 20:
        ask(cluster, DIRECTORS[1])
    assert set(visits(cluster, stopped)) == {DIRECTORS[1]}
    assert all(report["failed"] == 0 for report in reports(cluster, "client")[before:])
    start(cluster, "director-1")


def test_the_client_sums_up_without_a_failure(cluster: Engine) -> None:
    """Last: it stops the client."""
    assert total(cluster, "client")["failed"] == 0
