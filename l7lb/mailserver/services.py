"""What every session of a server process shares."""

from __future__ import annotations

from dataclasses import dataclass

from l7lb.mailserver.delivery import Deliverer
from l7lb.mailserver.login import Door
from l7lb.mailserver.owners import Owners
from l7lb.mailserver.spec import ServerSpec


@dataclass(frozen=True, slots=True)
class Services:
    spec: ServerSpec
    door: Door
    owners: Owners
    deliverer: Deliverer
