"""What a scheduler is: the contract that every file of this folder fulfils.

A scheduler is built from an immutable list of candidates that are all fit to serve, and is built
anew when that list changes. It knows nothing of health, enablement, limits or persistence.
Hashes are of bytes and server names only, so that every director gives the same answer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from l7lb.ports import Counters
from l7lb.scheduling.peak_ewma import PeakEwma


class Candidate(Protocol):
    """A server as schedulers see it. Both weights are above 0."""

    @property
    def name(self) -> str: ...
    @property
    def index(self) -> int:
        """Its number in `Inputs.counters`."""

    @property
    def weight(self) -> float:
        """Effective weight; rises during slow start."""

    @property
    def full_weight(self) -> float:
        """Weight without slow start: the same on every director, so hashes use it."""

    @property
    def latency(self) -> PeakEwma: ...


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a scheduler may ask of the world."""

    counters: Counters
    """Open sessions of every server by its index, over all workers."""
    random: Callable[[], float]
    """Uniform in [0, 1)."""
    now: Callable[[], float]
    """Monotonic seconds."""
    members: int = 0
    """Servers in the pool's specification, fit or not: sizes hash tables for good."""


class Scheduler(Generic[C]):
    """Chooses one candidate for each new session."""

    by_key = False
    """True: the choice hangs on the key alone, and choosing changes nothing."""
    reads_latency = False
    """True: `Candidate.latency` must be fed."""

    def __init__(self, candidates: Sequence[C], inputs: Inputs) -> None:
        self.candidates = tuple(candidates)
        self.inputs = inputs

    @abstractmethod
    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        """The next candidate that is not in `exclude`; None when there is none.

        `key` is what hashes hang on; None when the request has none. Others ignore it.
        """

    def reweigh(self) -> None:
        """Weights or indices of the candidates have changed: read them again."""


class KeyScheduler(Scheduler[C]):
    """A scheduler whose choice hangs on a key. Without a key, `spare` chooses."""

    by_key = True

    def __init__(self, candidates: Sequence[C], inputs: Inputs, spare: Scheduler[C]) -> None:
        super().__init__(candidates, inputs)
        self.spare = spare
        self._shares = [each.full_weight for each in self.candidates]

    @abstractmethod
    def first(self, key: bytes) -> C:
        """The candidate for `key`; only called when there are candidates."""

    @abstractmethod
    def walk(self, key: bytes) -> Iterator[C]:
        """Every candidate once, in the order of preference for `key`; `first` leads."""

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        if key is None:
            return self.spare.choose(None, exclude)
        if not self.candidates:
            return None
        first = self.first(key)
        if not exclude or first not in exclude:
            return first
        return next((each for each in self.walk(key) if each not in exclude), None)

    @abstractmethod
    def refill(self) -> None:
        """The full weights have changed: make the tables anew."""

    def reweigh(self) -> None:
        self.spare.reweigh()
        shares = [each.full_weight for each in self.candidates]
        if shares != self._shares:
            self._shares = shares
            self.refill()
