"""Every scheduler by its name in the rules file."""

from __future__ import annotations

from collections.abc import Sequence

from l7lb.model import KeyKind, KeySpec, SchedulerKind, SchedulerSpec
from l7lb.scheduling.base import C, Inputs, KeyScheduler, Scheduler
from l7lb.scheduling.bounded import BoundedLoad
from l7lb.scheduling.dh import DestinationHash
from l7lb.scheduling.lc import LeastConnections
from l7lb.scheduling.mh import Maglev
from l7lb.scheduling.nq import NeverQueue
from l7lb.scheduling.p2c import PowerOfTwoChoices
from l7lb.scheduling.rendezvous import Rendezvous
from l7lb.scheduling.rr import RoundRobin
from l7lb.scheduling.sed import ShortestExpectedDelay
from l7lb.scheduling.sh import SourceHash
from l7lb.scheduling.wlc import WeightedLeastConnections
from l7lb.scheduling.wrr import WeightedRoundRobin

PLAIN: dict[SchedulerKind, type[Scheduler]] = {  # type: ignore[type-arg]
    SchedulerKind.RR: RoundRobin,
    SchedulerKind.WRR: WeightedRoundRobin,
    SchedulerKind.LC: LeastConnections,
    SchedulerKind.WLC: WeightedLeastConnections,
    SchedulerKind.SED: ShortestExpectedDelay,
    SchedulerKind.NQ: NeverQueue,
    SchedulerKind.P2C: PowerOfTwoChoices,
}
HASHES: dict[SchedulerKind, type[KeyScheduler]] = {  # type: ignore[type-arg]
    SchedulerKind.SH: SourceHash,
    SchedulerKind.DH: DestinationHash,
    SchedulerKind.MH: Maglev,
    SchedulerKind.RENDEZVOUS: Rendezvous,
    SchedulerKind.HASH: Rendezvous,
}
DEFAULT_KEYS = {SchedulerKind.DH: KeySpec(KeyKind.HOST)}
"""The other hashes hang on the source address when the file names no key."""


def build(spec: SchedulerSpec, candidates: Sequence[C], inputs: Inputs) -> Scheduler[C]:
    """The scheduler that `spec` names, over `candidates`."""
    if spec.kind in PLAIN:
        return PLAIN[spec.kind](candidates, inputs)
    spare = WeightedLeastConnections(candidates, inputs)
    hashed = HASHES[spec.kind](candidates, inputs, spare)
    return hashed if spec.bound is None else BoundedLoad(hashed, spec.bound)


def key_of(spec: SchedulerSpec) -> KeySpec | None:
    """What the choice hangs on; None for schedulers that need no key."""
    if spec.kind in PLAIN:
        return None
    return spec.key or DEFAULT_KEYS.get(spec.kind) or KeySpec(KeyKind.SOURCE)
