"""The relay's client as RTSP sessions ask for it: their words to its words, its news to theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from l7lb.media.ports import RelayAsk, RelayPeers, RelayStream
from l7lb.media.relay.client import RelayClient
from l7lb.media.relay.verbs import Close, Event, News, Open, Peers, Touch


class RelayWay:
    """`l7lb.media.ports.Relays` of one worker. Lives in one event loop."""

    def __init__(
        self, path: Path, silent: Callable[[str], None], ended: Callable[[str], None]
    ) -> None:
        self.path = path
        self._silent = silent
        self._ended = ended
        self._client = RelayClient(path, self._heard)
        self._client.start()

    @property
    def is_there(self) -> bool:
        return self._client.connected.is_set()

    async def open(self, ask: RelayAsk) -> RelayStream:
        said = await self._client.open(
            Open(
                client=ask.client,
                server=ask.server,
                client_local=ask.client_local,
                server_local=ask.server_local,
                session=ask.session,
                timeout_s=ask.timeout_s,
            )
        )
        return RelayStream(said.session, said.stream, said.client_ports, said.server_ports)

    async def peers(self, stream: RelayStream, told: RelayPeers) -> None:
        await self._client.peers(
            Peers(
                stream.session,
                stream.stream,
                client_ports=told.client_ports,
                server_ports=told.server_ports,
                alias=told.alias,
            )
        )

    async def touch(self, session: str, *, silent_s: float = 0.0, timeout_s: float = 0.0) -> None:
        await self._client.touch(Touch(session, timeout_s=timeout_s, silent_s=silent_s))

    async def close(self, session: str, stream: int = -1) -> None:
        await self._client.end(Close(session, stream))

    def _heard(self, news: News) -> None:
        if news.event is Event.SILENT:
            self._silent(news.session)
        elif news.event is Event.TIMED_OUT:
            self._ended(news.session)

    async def stop(self) -> None:
        await self._client.close()
