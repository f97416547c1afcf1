"""What a session asks of a SASL mechanism, and nothing more.

The session moves bytes; the mechanism, made elsewhere, reads them. Any object with `step` serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Challenge:
    """Go on: the client gets these bytes, in Base64."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """The client is `account`."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """`temporary`: nobody could be asked, 454; else 535."""

    temporary: bool = False


Step = Challenge | Done | Failed


class Mechanism(Protocol):
    """One exchange. `response` is None when the client sent no initial response; it differs from
    an empty one (RFC 4954 §4). After Done or Failed it is not called again."""

    def step(self, response: bytes | None) -> Step: ...
