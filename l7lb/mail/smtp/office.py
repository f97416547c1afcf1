"""What the SMTP director asks of the worker that it runs in.

One office serves all SMTP services of a worker. Whoever wires the director gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from l7lb.accounts import Account, Directory
from l7lb.pool.pool import Pool
from l7lb_protocols.facts import Facts
from l7lb_storage.store import Store

if TYPE_CHECKING:
    from l7lb.mail.spool.spool import Spool


@dataclass(frozen=True, slots=True)
class Box:
    """An account's mail on the server that it had when its recipient came."""

    account: str
    server: str
    turn: int = 0
    """How many accounts had moved then."""


class Post(Protocol):
    """Told of each message that goes to accounts."""

    def deliver_to(self, boxes: Collection[Box]) -> Callable[[], None] | None:
        """Before a message is sent to a server; call the result when the server has answered, or
        is given up. None: one of the accounts moves, so deliver later."""

    def delivered(self, box: Box, size_bytes: int) -> None:
        """The server has taken it."""


class SmtpOffice(Post, Protocol):
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

    async def box_of(self, account: Account, pool: Pool, facts: Facts) -> Box | None:
        """With the server that this account has in this pool; None: none can be given now."""

    def spawn(self, work: Coroutine[object, object, None]) -> object:
        """Run it to its end; errors are logged. It holds no reference that keeps a worker."""

    def wall_s(self) -> float:
        """Seconds since 1970."""

    def random(self) -> float:
        """In [0, 1)."""
