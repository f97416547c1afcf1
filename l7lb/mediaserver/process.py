"""One server process: listener, connections, sweep; from start to SIGTERM.

It prints `ready PORT` when it listens. Must not know what requests mean.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from l7lb.mediaserver.dialogue import Dialogue, Ends
from l7lb.mediaserver.session import Sessions
from l7lb.mediaserver.spec import ServerSpec, read_spec
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.message import Request, response
from l7lb_protocols.rtsp.reader import Frames, Limits, Reader

LIMITS = Limits(head_bytes=8192, fields=64, body_bytes=8192)
CHUNK_BYTES = 16384
SWEEP_S = 1.0
SEND_S = 10.0
"""For a client that takes no answer."""
IDLE_S = 600.0
"""Of a connection without requests; one that media goes over may be silent."""
log = logging.getLogger("l7lb.mediaserver")


class House:
    """All connections and sessions of one process. `start` and `close` in one event loop."""

    def __init__(self, spec: ServerSpec) -> None:
        self._spec = spec
        self.sessions = Sessions(spec.sessions, spec.timeout_s)
        self.port = spec.port
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises OSError."""
        self._server = await asyncio.start_server(self._serve, self._spec.host, self._spec.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweeping = asyncio.create_task(self._sweep(), name="sweep")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sessions.sweep()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= self._spec.connections:
            writer.write(response(503, None))
            writer.close()
            return
        self._connections.add(task)
        local, peer = (str(writer.get_extra_info(end)[0]) for end in ("sockname", "peername"))
        dialogue = Dialogue(self._spec, self.sessions, Ends(local, peer, writer))
        try:
            await self._converse(reader, writer, dialogue)
        except RtspRefusal as refusal:
            log.info("%s: %s", peer, refusal)
            writer.write(response(refusal.status, None))
        except (OSError, TimeoutError):
            pass
        finally:
            dialogue.close()
            writer.close()
            self._connections.discard(task)

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dialogue: Dialogue
    ) -> None:
        """Until the client's end. Raises RtspRefusal, OSError, TimeoutError."""
        codec = Reader(LIMITS)
        while data := await self._read(reader, writer):
            codec.feed(data)
            while (event := codec.next()) is not None:
                if isinstance(event, Request):
                    writer.write(dialogue.answer(event))
                    async with asyncio.timeout(SEND_S):
                        await writer.drain()
                elif isinstance(event, Frames):
                    dialogue.heard()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    return await reader.read(CHUNK_BYTES)
            if not any(session.writer is writer for session in self.sessions):
                return b""

    async def close(self) -> None:
        """Everybody is told goodbye, and cut."""
        if self._server is not None:
            self._server.close()
        for session in self.sessions:
            self.sessions.end(session)
        tasks = [*self._connections, *([self._sweeping] if self._sweeping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def serve(spec: ServerSpec) -> None:
    """Until SIGTERM or SIGINT. Raises OSError."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    house = House(spec)
    try:
        await house.start()
        sys.stdout.write(f"ready {house.port}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await house.close()


def main(words: Sequence[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(read_spec(words)))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"mediaserver: {error}\n")
        return 1
    return 0
