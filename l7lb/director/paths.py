"""Where a director's own files are when the rules file does not say.

Owns the defaults. Used by the director and by the commands that talk to it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from l7lb.director.admin_state import write_atomically
from l7lb.model import DirectorSpec

CONTROL_VARIABLE = "L7LB_CONTROL"
SECRET_FILE = "cookie.secret"  # noqa: S105 - a file name
SECRET_BYTES = 32


def default_control() -> Path:
    """Of root: below /run/l7lb; else below $XDG_RUNTIME_DIR, or below /tmp where that is unset."""
    if os.geteuid() == 0:
        return Path("/run/l7lb/control.sock")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) / "l7lb" if runtime else Path(f"/tmp/l7lb-{os.geteuid()}")  # noqa: S108
    return base / "control.sock"


def control_path(spec: DirectorSpec, override: str | None = None) -> Path:
    """The command line's, else the environment's, else the file's, else the default."""
    chosen = override or os.environ.get(CONTROL_VARIABLE) or spec.control
    return Path(chosen) if chosen else default_control()


def state_path(spec: DirectorSpec) -> Path:
    """Of root: /var/lib/l7lb; else below $XDG_STATE_HOME."""
    if spec.state:
        return Path(spec.state)
    if os.geteuid() == 0:
        return Path("/var/lib/l7lb")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(base) / "l7lb"


def state_directory(spec: DirectorSpec) -> Path:
    """Made when it is not there, for the owner alone. Raises OSError."""
    path = state_path(spec)
    private_directory(path)
    return path


def private_directory(path: Path) -> None:
    """Make a directory for the owner alone; refuse one that somebody else owns. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    trusted = (0, os.geteuid())
    if path.lstat().st_uid not in trusted or path.stat().st_uid not in trusted:
        raise PermissionError(f"{path} belongs to somebody else")


def cookie_secret(spec: DirectorSpec, state: Path) -> bytes:
    """The file's, else one made at first start and kept. Raises OSError."""
    if spec.cookie_secret:
        return spec.cookie_secret
    path = state / SECRET_FILE
    if path.exists():
        kept = path.read_bytes()
        if len(kept) == SECRET_BYTES:
            return kept
    made = secrets.token_bytes(SECRET_BYTES)
    write_atomically(path, made)
    return made
