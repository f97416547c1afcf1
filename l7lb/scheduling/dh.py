"""dh: destination hash. As sh, with the destination as the key: for HTTP that is the host."""

from __future__ import annotations

from l7lb.scheduling.base import C
from l7lb.scheduling.sh import SourceHash


class DestinationHash(SourceHash[C]):
    """In LVS the destination address sends one site to one cache; here the host name does."""
