"""docker-compose.yml on an engine of the tests: brought up, asked, taken down."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.docker_engine import BASE, BASE_TAR, Engine, engine, make_base

FILES = ("-f", "docker-compose.yml")
BUILD_FILES = (*FILES, "-f", "tests/docker/build-network.yml")
IMAGES = ("client", "origin-1", "relay")
"""Services, one for each image."""
DIRECTORS = ("198.18.40.11", "198.18.40.12")
BUILD_S = 1500.0
UP_S = 600.0
PATIENCE_S = 120.0


@contextmanager
def running() -> Iterator[Engine]:
    """The whole cluster, from images that are built now; nothing of it is left afterwards."""
    make_base()
    with engine() as here:
        with here.for_builds():
            certificates = "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
            here.docker("import", "--change", certificates, str(BASE_TAR), BASE)
            here.compose(*BUILD_FILES, "build", *IMAGES, limit_s=BUILD_S)
        with here.for_containers():
            try:
                here.compose(*FILES, "up", "-d", "--no-build", limit_s=UP_S)
                yield here
            finally:
                here.compose(*FILES, "down", "--volumes", "--timeout", "10")


def container(cluster: Engine, service: str) -> str:
    return cluster.compose(*FILES, "ps", "-q", service).strip()


def reports(cluster: Engine, client: str) -> list[dict[str, object]]:
    """What a client said so far, a line each."""
    lines = cluster.docker("logs", container(cluster, client)).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def total(cluster: Engine, client: str) -> dict[str, object]:
    """Stops a client; returns its sum, and asserts that nothing failed."""
    found = container(cluster, client)
    cluster.compose(*FILES, "stop", client)
    told = [line for line in cluster.docker("logs", found).splitlines() if line[:1] != "{"]
    code = cluster.docker("inspect", "-f", "{{.State.ExitCode}}", found).strip()
    assert code == "0", "\n".join(told)
    assert told[-1].startswith("sum "), told
    return dict(json.loads(told[-1].removeprefix("sum ")))


def start(cluster: Engine, service: str) -> None:
    """Starts a service that was stopped, and waits until it is healthy."""
    cluster.compose(*FILES, "start", service)
    ask = ("inspect", "-f", "{{.State.Health.Status}}", container(cluster, service))
    until(lambda: cluster.docker(*ask).strip() == "healthy", f"{service} is healthy")


def until(condition: Callable[[], object], what: str) -> None:
    """Refusals for now are passed over until the deadline."""
    deadline, told = time.monotonic() + PATIENCE_S, ""
    while True:
        try:
            if condition():
                return
        except AssertionError as error:
            told = str(error)
        assert time.monotonic() < deadline, f"never: {what}\n{told}"
        time.sleep(0.3)
