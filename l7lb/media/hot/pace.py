"""How fast files are copied, and what ends a copy when the agent ends."""

from __future__ import annotations

from l7lb import pace
from l7lb.media.hot.errors import CopyStopped


class Pace(pace.Pace):
    def stopped(self) -> CopyStopped:
        return CopyStopped("the agent ends")
