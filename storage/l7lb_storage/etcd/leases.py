"""Leases in etcd, each with a key of its own that says that it lives.

etcd's word alone is not enough: 3.4 before 3.4.38 confirms renewals of revoked leases, and a
leader that was deposed without knowing it confirms what its successor never hears. So a renewal is
good when the lease's key was then read with the majority's consent, at the same member and in the
same term.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from l7lb_storage.errors import LeaseLost, Unavailable
from l7lb_storage.etcd import wire
from l7lb_storage.etcd.gateway import Gateway
from l7lb_storage.etcd.names import Names
from l7lb_storage.limits import check_holder, check_ttl
from l7lb_storage.model import Lease


@dataclass(slots=True)
class Own:
    """A lease of this process. `key_revision` is named by every request that must not come late."""

    ttl_s: float
    holder: str
    key_revision: int

    def saw(self, revision: int) -> None:
        self.key_revision = max(self.key_revision, revision)


class Leases:
    def __init__(self, gateway: Gateway, names: Names) -> None:
        self._gateway = gateway
        self._names = names
        self._own: dict[int, Own] = {}

    def own(self, lease: int) -> Own:
        """Raises LeaseLost."""
        found = self._own.get(lease)
        if found is None:
            raise LeaseLost(f"lease {lease:x} is not one of this engine")
        return found

    def retry_s(self, lease: int) -> float:
        """How long it makes sense to clean up after a lease."""
        found = self._own.get(lease)
        return 0.0 if found is None else 2 * found.ttl_s

    async def open(self, ttl_s: float, holder: str, *, renewed: bool) -> Lease:
        """etcd counts whole seconds, and has a minimum of its own (1.5 election timeouts).

        What nobody will renew needs no key of its own.
        """
        check_ttl(ttl_s)
        check_holder(holder)
        body = {"TTL": str(math.ceil(ttl_s)), "ID": "0"}
        answer = await self._gateway.call("/v3/lease/grant", body, repeatable=True)
        lease, given_s, _, _ = wire.read_lease(answer)
        if not renewed:
            return Lease(lease, given_s)
        key = self._names.session(lease)
        done = await self._gateway.call(
            "/v3/kv/put", wire.put(key, holder.encode(), lease), repeatable=True
        )
        self._own[lease] = Own(given_s, holder, wire.read_range(done).revision)
        return Lease(lease, given_s)

    async def renew(self, lease: int) -> None:
        """Raises LeaseLost, Unavailable."""
        body = {"ID": str(lease)}
        answer = await self._gateway.call("/v3/lease/keepalive", body, repeatable=True)
        _, left_s, term, member = wire.read_lease(answer)
        key = wire.one(self._names.session(lease))
        found = wire.read_range(await self._gateway.call("/v3/kv/range", key, repeatable=True))
        if not found.kvs or left_s <= 0:
            raise LeaseLost(f"lease {lease:x} is gone")
        if (found.term, found.member) != (term, member):
            raise Unavailable("etcd changed its leader while the lease was renewed")

    async def close(self, lease: int) -> None:
        self._own.pop(lease, None)
        try:
            await self._gateway.call("/v3/lease/revoke", {"ID": str(lease)}, repeatable=True)
        except LeaseLost:
            return

    async def void(self, lease: int) -> None:
        """Nothing that was sent before can happen later: it named the key's old revision."""
        own = self.own(lease)
        key = self._names.session(lease)
        check = wire.is_there(key)
        then = wire.then_put(key, own.holder.encode(), lease)
        body = wire.transaction([check], [then], [])
        done = wire.read_transaction(await self._gateway.call("/v3/kv/txn", body, repeatable=True))
        if not done.succeeded:
            raise LeaseLost(f"lease {lease:x} is gone")
        own.saw(done.revision)
