"""Which mechanisms a connection is offered, and the exchange for one that was chosen.

Must not know the rules file: what is allowed is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable

from l7lb_protocols.sasl.exchange import (
    ExternalExchange,
    LoginExchange,
    PlainExchange,
    ServerExchange,
)
from l7lb_protocols.sasl.scram import ScramExchange

_EXCHANGES: dict[bytes, type[ServerExchange]] = {
    PlainExchange.name: PlainExchange,
    LoginExchange.name: LoginExchange,
    ScramExchange.name: ScramExchange,
    ExternalExchange.name: ExternalExchange,
}
MECHANISMS = tuple(_EXCHANGES)


def offer(allowed: Iterable[bytes], *, secret_safe: bool, certificate: bytes) -> tuple[bytes, ...]:
    """Those of `allowed` that make sense now, in its order.

    `secret_safe`: nobody reads the connection, or the administrator does not mind.
    `certificate`: the verified name in the client's certificate, empty without one: no EXTERNAL.
    Raises KeyError for a mechanism that is none of MECHANISMS.
    """
    return tuple(
        name
        for name in allowed
        if not (_EXCHANGES[name].shows_secret and not secret_safe)
        and (certificate or name != ExternalExchange.name)
    )


def exchange(mechanism: bytes, certificate: bytes = b"") -> ServerExchange:
    """A new exchange for a mechanism that was offered; KeyError for others."""
    if mechanism == ExternalExchange.name:
        return ExternalExchange(certificate)
    return _EXCHANGES[mechanism]()
