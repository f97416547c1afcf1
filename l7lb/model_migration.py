"""Frozen specification of where mailboxes are: what `mail: {storage: …}` in the rules file says.

As in `model`: seconds end in `_s`, and everything compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TEMPLATE_NAMES = ("account", "user", "domain", "server")
"""What may stand in braces in a path."""


class FencePlace(StrEnum):
    """Where the servers keep the file that refuses a stale writer (`l7lb_storage.fence`)."""

    MAILDIR = "maildir"
    """In the Maildir itself."""
    HOME = "home"
    """In the directory above it, which must be the account's own."""


@dataclass(frozen=True, slots=True)
class MailStorageSpec:
    path: str = ""
    """Template of every account's Maildir, on servers that `roots` does not name."""
    roots: tuple[tuple[str, str], ...] = ()
    """Templates by server."""
    fence: FencePlace = FencePlace.MAILDIR
    keep_source_s: float = 7 * 86400.0
    """What was moved away is deleted after this time."""

    def template(self, server: str) -> str:
        """Empty: nothing is known of this server's storage."""
        return dict(self.roots).get(server, self.path)
