"""The key file."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7lb.media.key import KEY_LIMIT_BYTES, read_key


def test_white_space_at_the_ends_is_no_part(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"  secret words\n")
    assert read_key(path) == b"secret words"


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x" * (KEY_LIMIT_BYTES + 1))
    with pytest.raises(ValueError, match="more than"):
        read_key(path)
    with pytest.raises(FileNotFoundError):
        read_key(tmp_path / "absent")
