"""What the SMTP director asks of the worker that it runs in.

One office serves all SMTP services of a worker. Whoever wires the director gives it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Protocol

from l7lb.accounts import Account, Directory
from l7lb.pool.pool import Pool
from l7lb_protocols.facts import Facts
from l7lb_storage.store import Store

if TYPE_CHECKING:
    from l7lb.mail.spool.spool import Spool


class SmtpOffice(Protocol):
    @property
    def directory(self) -> Directory | None:
        """None: every recipient is unknown, and nobody can log in."""

    @property
    def store(self) -> Store | None:
        """None: what is counted over all directors is counted here alone."""

    @property
    def secret(self) -> bytes:
        """The cluster's, from which fake SCRAM keys are made: the same in every worker."""

    @property
    def spool(self) -> Spool | None:
        """Started; None: nothing can be kept, as with `spool: false`."""

    async def server_for(self, account: Account, pool: Pool, facts: Facts) -> str | None:
        """The server that this account has in this pool; None: none can be given now."""

    def spawn(self, work: Coroutine[object, object, None]) -> object:
        """Run it to its end; errors are logged. It holds no reference that keeps a worker."""

    def wall_s(self) -> float:
        """Seconds since 1970."""

    def random(self) -> float:
        """In [0, 1)."""
