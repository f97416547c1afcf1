"""What an engine offers: the one interface of memory, lockd and etcd.

Sessions and the store are built on it; applications use those, not an engine.
Each call ends by itself after the engine's own request timeout, except `acquire`, which waits as
long as it is let, and watches. Every call may raise `Unavailable` (nothing happened), `InDoubt`
(it may have) and `LimitExceeded`, beside what it names.
"""

from collections.abc import Callable
from typing import Protocol, Self

from l7lb_storage.model import (
    Claim,
    Grant,
    Item,
    Lease,
    LockView,
    Notice,
    Outcome,
    Page,
    Transaction,
    WatchEvent,
)
from l7lb_storage.modes import Mode

OnBlocking = Callable[[Notice], None]
"""Called in the event loop, once for each waiter that comes; it must not block."""


class Watch(Protocol):
    """An endless asynchronous iterator. After `close` it ends."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> WatchEvent: ...

    async def close(self) -> None: ...


class Engine(Protocol):
    name: str

    async def open(self) -> None:
        """Raises Unavailable, AuthenticationFailed. Call `close` afterwards in any case."""

    async def close(self) -> None:
        """Ends tasks and connections; leases live on until they expire or were closed."""

    async def open_lease(self, ttl_s: float, holder: str, *, renewed: bool = True) -> Lease:
        """`renewed` False: nobody will renew it nor lock under it; it is for keys that go."""

    async def renew_lease(self, lease: int) -> None:
        """Returns when the engine has confirmed, with a fresh read, that it lives; LeaseLost."""

    async def close_lease(self, lease: int) -> None:
        """Its locks are released and its keys deleted. No error when it is gone already."""

    async def acquire(
        self, claim: Claim, *, try_only: bool = False, on_blocking: OnBlocking | None = None
    ) -> Grant:
        """Waits in the queue until granted. Raises NotGranted (`try_only`), LeaseLost.

        Cancelled, it takes its entry away first, and if that takes long goes on trying.
        """

    async def convert(self, claim: Claim, grant: Grant, mode: Mode) -> Grant:
        """Downwards at once, with the same token; upwards tried once, with a new one.

        Raises ConversionRefused, and LeaseLost when it is not held.
        """

    async def release(self, claim: Claim, grant: Grant) -> bool:
        """False: not held with this token any more; nothing was touched.

        When it raises, the engine goes on trying for as long as the lease lives.
        """

    async def locks(self, prefix: str = "", limit: int = 1000) -> list[LockView]:
        """Holders and waiters, each queue in order."""

    async def get(self, key: str) -> Item | None: ...

    async def range(self, prefix: str, *, after: str = "", limit: int = 100) -> Page: ...

    async def transact(self, transaction: Transaction) -> Outcome:
        """Never repeated by itself: InDoubt leaves it to the caller. LeaseLost: of a put."""

    async def watch(self, prefix: str, after: int | None = None) -> Watch:
        """All changes later than the revision `after`, with no gap; `Reset` first without it."""

    async def epoch(self) -> int: ...

    async def raise_epoch(self, at_least: int = 0) -> int:
        """By one, or to `at_least` if that is more; returns it. Tokens grow at once."""
