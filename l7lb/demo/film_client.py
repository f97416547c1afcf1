"""A small RTSP player: it looks at whose packets come, and plays no sound.

The server that control met is the one that answers SETUP (`Server`), and the one that media came
from is the one whose RTCP names the packets' source (CNAME of their SSRC, RFC 3550 §6.5.1).
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from l7lb_protocols.rtcp import (
    ReceiverReport,
    RtcpRefusal,
    Source,
    SourceDescription,
    build,
    parse,
)
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.message import Response, request
from l7lb_protocols.rtsp.reader import Event, Frames, Limits, Reader
from l7lb_protocols.rtsp.session_id import parse as parse_session
from l7lb_protocols.rtsp.transport import parse as parse_transports

WAIT_S = 20.0
CHUNK_BYTES = 65536
RTP_HEAD = 12
OWN_SSRC = 0x6C376C62
Fields = Sequence[tuple[bytes, bytes]]


class FilmFailed(Exception):
    """A player that saw no film; the text says why."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """What one player saw."""

    control: str
    media: str
    packets: int
    frames: int
    """RTP and RTCP that came over the control connection."""


class Media:
    """Counts RTP by its source, and learns their names."""

    def __init__(self) -> None:
        self.packets: Counter[int] = Counter()
        self.names: dict[int, str] = {}
        self.frames = 0
        self.news = asyncio.Event()

    def rtp(self, data: bytes) -> None:
        if len(data) > RTP_HEAD and data[0] >> 6 == 2:
            self.packets[int.from_bytes(data[8:RTP_HEAD], "big")] += 1
            self.news.set()

    def rtcp(self, data: bytes) -> None:
        with suppress(RtcpRefusal):
            for packet in parse(data):
                for each in packet.sources if isinstance(packet, SourceDescription) else ():
                    self.names[each.ssrc] = each.cname.decode("ascii", "replace")
            self.news.set()

    def has(self, packets: int) -> bool:
        """So many, and each source's name."""
        return self.packets.total() >= packets and self.packets.keys() <= self.names.keys()

    @property
    def servers(self) -> str:
        return "+".join(sorted({self.names[ssrc] for ssrc in self.packets}))


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, media: Media, *, is_rtcp: bool) -> None:
        self._take = media.rtcp if is_rtcp else media.rtp

    def datagram_received(self, data: bytes, _: object) -> None:
        self._take(data)


class Player:
    """`open`, `play`, and `close` in any case. All raise FilmFailed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._codec = Reader(Limits())
        self._cseq = 0
        self._session = b""
        self._control = ""
        self._rest = b""
        """The beginning of an interleaved frame."""
        self._udp: list[asyncio.DatagramTransport] = []
        self._url = b""
        self.media = Media()

    @classmethod
    async def open(cls, url: str, *, udp: bool) -> "Player":
        """DESCRIBE and SETUP are done then."""
        address, _, _ = url.removeprefix("rtsp://").partition("/")
        host, _, port = address.rpartition(":")
        try:
            async with asyncio.timeout(WAIT_S):
                player = cls(*await asyncio.open_connection(host, int(port)))
        except (OSError, TimeoutError) as error:
            raise FilmFailed(f"no connection: {error}") from None
        try:
            player._url = url.encode()
            await player._set_up(udp=udp)
        except BaseException:
            player.close()
            raise
        return player

    async def play(self, packets: int) -> Viewing:
        """Watches until so many have come, and it is known whose they are; then TEARDOWN."""
        own = [(b"Session", self._session)]
        await self._ask(b"PLAY", self._url + b"/", own)
        try:
            async with asyncio.timeout(WAIT_S):
                while not self.media.has(packets):
                    await self._watch()
        except TimeoutError:
            raise FilmFailed(f"{self.media.packets.total()} of {packets} packets") from None
        await self._ask(b"TEARDOWN", self._url + b"/", own)
        count = self.media.packets.total()
        return Viewing(self._control, self.media.servers, count, self.media.frames)

    def close(self) -> None:
        for transport in self._udp:
            transport.close()
        self._writer.close()

    # ------------------------------------------------------------------ steps

    async def _set_up(self, *, udp: bool) -> None:
        await self._ask(b"DESCRIBE", self._url, [(b"Accept", b"application/sdp")])
        offer = b"RTP/AVP/TCP;unicast;interleaved=0-1"
        if udp:
            offer = b"RTP/AVP;unicast;client_port=%d-%d" % await self._ports()
        said = await self._ask(b"SETUP", self._url + b"/audio", [(b"Transport", offer)])
        try:
            self._session = parse_session(said.get(b"session") or b"").id
            ports = parse_transports(said.get(b"transport") or b"")[0].ports(b"server_port")
        except RtspRefusal as refusal:
            raise FilmFailed(f"SETUP was answered by nonsense: {refusal}") from None
        self._control = (said.get(b"server") or b"?").decode("ascii", "replace")
        if udp:
            self._greet(ports)

    async def _ports(self) -> tuple[int, int]:
        loop, host = asyncio.get_running_loop(), self._writer.get_extra_info("sockname")[0]
        for is_rtcp in (False, True):
            transport, _ = await loop.create_datagram_endpoint(
                lambda is_rtcp=is_rtcp: Datagrams(self.media, is_rtcp=is_rtcp),  # type: ignore[misc]
                local_addr=(host, 0),
            )
            self._udp.append(transport)
        rtp, rtcp = (each.get_extra_info("sockname")[1] for each in self._udp)
        return rtp, rtcp

    def _greet(self, ports: tuple[int, int] | None) -> None:
        """A first report, by which a router on the way would open and a relay hear of us."""
        if ports is None:
            raise FilmFailed("SETUP names no port of the server")
        name = SourceDescription((Source(OWN_SSRC, b"player"),))
        server = self._writer.get_extra_info("peername")[0]
        self._udp[1].sendto(build([ReceiverReport(OWN_SSRC), name]), (server, ports[1]))

    async def _watch(self) -> None:
        """Until something came: a datagram, or a piece of the control connection."""
        if not self._udp:
            self._take(await self._event())
            return
        self.media.news.clear()
        await self.media.news.wait()

    async def _ask(self, method: bytes, target: bytes, fields: Fields) -> Response:
        """A good answer."""
        self._cseq += 1
        own = [(b"User-Agent", b"l7lb-demo"), *fields]
        self._writer.write(request(method, target, self._cseq, own))
        try:
            async with asyncio.timeout(WAIT_S):
                event = await self._event()
                while not isinstance(event, Response):
                    self._take(event)
                    event = await self._event()
        except TimeoutError:
            raise FilmFailed(f"{method.decode()}: no answer in {WAIT_S:.0f} s") from None
        if event.status != 200:
            raise FilmFailed(f"{method.decode()}: {event.status}")
        return event

    async def _event(self) -> Event:
        try:
            while (event := self._codec.next()) is None:
                data = await self._reader.read(CHUNK_BYTES)
                if not data:
                    raise FilmFailed("the connection was closed")
                self._codec.feed(data)
        except (OSError, RtspRefusal) as error:
            raise FilmFailed(str(error)) from None
        return event

    def _take(self, event: Event) -> None:
        """Frames to packets; requests of the server are not for us."""
        if not isinstance(event, Frames):
            return
        data, at = self._rest + event.data, 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
            if end > len(data):
                break
            self.media.frames += 1
            (self.media.rtcp if data[at + 1] == 1 else self.media.rtp)(data[at + 4 : end])
            at = end
        self._rest = data[at:]
