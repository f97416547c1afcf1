"""One director for the whole folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from badinput.director import Director, running_director


@pytest.fixture(scope="session")
def director(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Director]:
    with running_director(tmp_path_factory.mktemp("badinput")) as found:
        yield found
