"""Wrong secrets cost time: the same for every protocol, counted over all directors."""

from __future__ import annotations

from l7lb.mail.tally import Tally, network_of
from l7lb.model_mail import PenaltySpec


class Penalty:
    """One for a worker; the specification is each service's own."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def failed(self, spec: PenaltySpec, source: str) -> float:
        """Count a failure of this client's network; seconds to wait before it is told."""
        if not spec.delays_s:
            return 0.0
        key = "mail/penalty/" + network_of(source, spec.prefix_length)
        count = await self._tally.add(key, 1, spec.window_s)
        return spec.delays_s[min(count, len(spec.delays_s)) - 1]
