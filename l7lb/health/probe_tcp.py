"""The TCP probe: a server is good when it accepts a connection."""

from __future__ import annotations

from l7lb.health.probe import Reply, Target, connect


async def probe_tcp(target: Target, reply: Reply) -> str:
    """Connect and close; what the server would say is not awaited. Raises OSError."""
    del reply
    sock = await connect(target.dial)
    sock.close()
    return "connected"
