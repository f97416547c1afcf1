"""Which directory is whose: from the templates of the rules file to paths. Pure.

An account's name comes from a directory that others may write to: a name that would leave its
place in the template is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from l7lb.errors import MigrationRefused
from l7lb.model_migration import FencePlace, MailStorageSpec

NAME_BYTES = 200
"""Of one part of a path: what stands behind it (`.migrated-…`) must fit into 255 as well."""
_PART = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Home:
    """One account's mail on one server."""

    maildir: Path
    fence: Path
    """The directory with the fence file."""
    mount: Path
    """What must be there before anything is made: the template's part before the first brace."""

    def beside(self, mark: str, stamp: str) -> Path:
        """Where the Maildir is put away: `<maildir>.<mark>-<stamp>`, on the same file system."""
        return self.maildir.with_name(f"{self.maildir.name}.{mark}-{stamp}")


def home_of(spec: MailStorageSpec, account: str, server: str) -> Home:
    """Raises MigrationRefused: unknown server, or a name that cannot stand in a path."""
    template = spec.template(server)
    if not template:
        raise MigrationRefused(f"mail.storage does not say where server {server} keeps mail")
    user, _, domain = account.rpartition("@")
    values = {
        "account": account,
        "user": user if "@" in account else account,
        "domain": domain if "@" in account else "",
        "server": server,
    }
    path = Path(_PART.sub(lambda found: _safe(values[found[1]], account), template))
    fence = path if spec.fence is FencePlace.MAILDIR else path.parent
    fixed = template.partition("{")[0]
    return Home(path, fence, Path(fixed[: fixed.rindex("/") + 1]))


def _safe(value: str, account: str) -> str:
    if not value or value.startswith(".") or "/" in value or "\0" in value:
        raise MigrationRefused(f"account {account!r} has no safe place in the path of its mail")
    if len(value.encode()) > NAME_BYTES:
        raise MigrationRefused(f"account {account!r} is too long for a path")
    return value
