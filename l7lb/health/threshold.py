"""Rise and fall: from single probes to a verdict. Pure; knows nothing of probes, time or pools."""

from __future__ import annotations

from l7lb.model import Health


class Threshold:
    """The verdict on one server and the streak of probes that speaks against it.

    The first probe decides alone, both ways: a server that was never seen good must not get
    sessions for `fall` more probes, and one that answers need not wait for `rise` of them.
    After that `fall` bad probes in a row make it DOWN and `rise` good ones make it UP again.
    """

    def __init__(self, rise: int, fall: int, health: Health = Health.UNKNOWN) -> None:
        if rise < 1 or fall < 1:
            raise ValueError("rise and fall are at least 1")
        self.health = health
        self.streak = 0
        """Probes in a row that contradict the verdict."""
        self._rise = rise
        self._fall = fall

    @property
    def is_in_doubt(self) -> bool:
        """No verdict yet, or a streak against it is under way: probe faster."""
        return self.health is Health.UNKNOWN or self.streak > 0

    def record(self, ok: bool) -> bool:
        """Count one probe; True if the verdict changed."""
        seen = Health.UP if ok else Health.DOWN
        if seen is self.health:
            self.streak = 0
            return False
        self.streak += 1
        if self.health is not Health.UNKNOWN and self.streak < self._needed(ok):
            return False
        self.health = seen
        self.streak = 0
        return True

    def _needed(self, ok: bool) -> int:
        return self._rise if ok else self._fall
