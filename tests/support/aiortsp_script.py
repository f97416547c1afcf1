"""aiortsp as a player: `URL udp|tcp COUNT`; ends well when so many packets of media are there."""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlparse

from aiortsp.rtsp.connection import RTSPConnection
from aiortsp.rtsp.session import RTSPMediaSession
from aiortsp.transport import transport_for_scheme

LIMIT_S = 50.0
SCHEMES = {"udp": "rtsp", "tcp": "rtspt"}


class Counting:
    """What aiortsp calls for each packet."""

    def __init__(self, enough: int) -> None:
        self.left = enough
        self.done = asyncio.Event()

    def handle_rtp(self, rtp: object) -> None:
        self.left -= 1
        if self.left <= 0:
            self.done.set()

    def handle_rtcp(self, rtcp: object) -> None:
        """Not counted."""

    def handle_closed(self, error: object) -> None:
        """Nothing to do: the count says it."""


async def main(url: str, transport: str, enough: int) -> None:
    parsed = urlparse(url)
    counting = Counting(enough)
    way_of = transport_for_scheme(SCHEMES[transport])
    async with (
        RTSPConnection(parsed.hostname, parsed.port or 554) as connection,
        way_of(connection) as way,
    ):
        way.subscribe(counting)
        async with RTSPMediaSession(connection, url, transport=way) as session:
            await session.play()
            await asyncio.wait_for(counting.done.wait(), LIMIT_S)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
