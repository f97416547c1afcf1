"""One cluster for all tests here: it takes minutes to build."""

from collections.abc import Iterator

import pytest

from support.compose import running
from support.docker_engine import Engine


@pytest.fixture(scope="package")
def cluster() -> Iterator[Engine]:
    with running() as here:
        yield here
