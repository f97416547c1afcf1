"""Whether a recipient may come now: rates and greylist, counted over all directors.

Both fail open: while the store is away mail goes on, and the log says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from l7lb.mail.tally import Tally, network_of
from l7lb.model_mail import GreylistSpec, RateKey, SmtpOptions
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_storage.errors import StorageError
from l7lb_storage.limits import TTL_MAX_S
from l7lb_storage.model import Item
from l7lb_storage.store import Store

COME_AGAIN = reply(451, b"4.7.1", "greylisted: please try again later")
TOO_MANY = reply(450, b"4.7.1", "too many recipients, try again later")
REFRESH_SHARE = 0.1
"""A triple that is met again is written again only after this share of its time."""
KEEP_MAX_S = TTL_MAX_S * 0.8
"""The store keeps nothing by itself for longer than TTL_MAX_S, up to a quarter of it as reserve."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One recipient by its parties; `account` is who logged in."""

    service: str
    source: str
    account: str
    sender: str
    recipient: str

    def value(self, key: RateKey) -> str:
        values = {
            RateKey.SOURCE: self.source,
            RateKey.ACCOUNT: self.account,
            RateKey.SENDER: self.sender,
            RateKey.RECIPIENT: self.recipient,
        }
        return values[key]


class Guard:
    """`wall_s`: seconds since 1970, for what all directors must understand alike."""

    def __init__(self, tally: Tally, wall_s: Callable[[], float]) -> None:
        self._tally = tally
        self._wall_s = wall_s

    async def refusal(self, options: SmtpOptions, asked: Asked) -> Reply | None:
        """None: it may come. Clients that logged in are not greylisted."""
        for rate in options.rates:
            value = asked.value(rate.key)
            if not value:
                continue
            key = f"smtp/rate/{asked.service}/{rate.key}/{_digest(value)}"
            if await self._tally.add(key, 1, rate.window_s) > rate.count:
                return TOO_MANY
        if options.greylist is None or asked.account:
            return None
        return await self._greylisted(options.greylist, asked)

    async def _greylisted(self, spec: GreylistSpec, asked: Asked) -> Reply | None:
        store = self._tally.store()
        if store is None:
            return None
        network = network_of(asked.source, spec.prefix_length)
        key = f"smtp/greylist/{asked.service}/{_digest(network, asked.sender, asked.recipient)}"
        try:
            return await self._seen(store, key, spec)
        except StorageError as problem:
            self._tally.complain(problem)
            return None

    async def _seen(self, store: Store, key: str, spec: GreylistSpec) -> Reply | None:
        """The value is when the triple came first, and when it was met last."""
        now_s = self._wall_s()
        item = await store.get(key)
        first_s, last_s = _times(item) or (now_s, -math.inf)
        if now_s - last_s >= min(spec.remember_s, KEEP_MAX_S) * REFRESH_SHARE:
            value = f"{first_s:.3f} {now_s:.3f}".encode()
            await store.put(key, value, keep_s=min(spec.remember_s, KEEP_MAX_S))
        return COME_AGAIN if now_s - first_s < spec.delay_s else None


def _times(item: Item | None) -> tuple[float, float] | None:
    """What is not ours counts as nothing."""
    try:
        first, last = (item.value if item is not None else b"").split()
        return float(first), float(last)
    except ValueError:
        return None


def _digest(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).hexdigest()
