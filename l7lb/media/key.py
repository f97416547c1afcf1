"""The key that directors and the agents beside media servers share: one small file."""

from __future__ import annotations

from pathlib import Path

KEY_LIMIT_BYTES = 4096


def read_key(path: Path) -> bytes:
    """The file's bytes less white space at the ends. Raises OSError, ValueError."""
    with path.open("rb") as file:
        data = file.read(KEY_LIMIT_BYTES + 1).strip()
    if len(data) > KEY_LIMIT_BYTES:
        raise ValueError(f"{path}: more than {KEY_LIMIT_BYTES} bytes")
    return data
