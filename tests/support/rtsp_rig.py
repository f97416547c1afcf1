"""The RTSP director on a rig: servers that say what the test wants, clients, a relay in words."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

from l7lb.errors import MediaRefused, RelayRefused
from l7lb.media.control.office import Office, Parts
from l7lb.media.control.plug import RtspPlug
from l7lb.media.modes import Known, choose
from l7lb.media.ports import Choice, FlowPath, RelayAsk, RelayPeers, RelayStream
from l7lb.model import Address, ClusterSpec, ListenSpec, PoolSpec, ServerSpec, ServiceSpec
from l7lb.model_media import Mode, RtspOptions
from l7lb_protocols.rtsp.message import Request, Response
from l7lb_protocols.rtsp.reader import Frames, Limits, Reader
from support.peers import within
from support.rig import Rig, pool, route, service

SDP = b"v=0\r\ns=x\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"
Said = Callable[[Request], bytes | None]
"""What a server answers; None: nothing."""


def reply(request: Request, status: int = 200, *fields: str, body: bytes = b"") -> bytes:
    lines = [f"RTSP/1.0 {status} Word", f"CSeq: {request.cseq}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(eq=False)
class ScriptedServer:
    """RTSP as the test says: `says` by method; what is not there is answered as usual."""

    name: str = "s"
    says: dict[bytes, Said] = field(default_factory=dict)
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    frames: bytes = b""
    connections: int = 0
    ended: int = 0
    tls: Any = None

    async def __aenter__(self) -> Self:
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, data: bytes) -> None:
        """On the newest connection."""
        self._writers[-1].write(data)

    def close_connections(self) -> None:
        for writer in self._writers:
            writer.close()

    def methods(self) -> list[bytes]:
        return [request.method for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self._writers.append(writer)
        codec = Reader(Limits())
        with suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65536):
                codec.feed(data)
                while (event := codec.next()) is not None:
                    self._heard(event, writer)
        self.ended += 1
        writer.close()
        self._tasks.discard(task)

    def _heard(self, event: object, writer: asyncio.StreamWriter) -> None:
        if isinstance(event, Frames):
            self.frames += event.data
        elif isinstance(event, Response):
            self.answers.append(event)
        elif isinstance(event, Request):
            self.requests.append(event)
            said = self.says.get(event.method, self.usual)(event)
            if said is not None:
                writer.write(said)

    def usual(self, request: Request) -> bytes | None:
        session = request.get(b"session")
        fields = [f"Session: {session.decode()}"] if session else []
        if request.method == b"DESCRIBE":
            base = f"Content-Base: {request.target.decode()}/"
            return reply(request, 200, "Content-Type: application/sdp", base, body=SDP)
        if request.method == b"SETUP":
            transport = (request.get(b"transport") or b"").decode().partition(",")[0]
            if "client_port" in transport:
                transport += ";server_port=6000-6001;ssrc=0A0B0C0D"
            elif "multicast" not in transport:
                transport = transport.partition(";")[0] + ";unicast;interleaved=0-1"
            fields = fields or [f"Session: {self.name}123;timeout=30"]
            return reply(request, 200, *fields, f"Transport: {transport}")
        return reply(request, 200, *fields, f"Server: {self.name}")


class RtspClient:
    """Sends and reads messages; every wait has a deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.codec = Reader(Limits(body_bytes=1 << 20))
        self.cseq = 0
        self.frames = b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await within(self.writer.wait_closed())

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def abort(self) -> None:
        """Reset the connection."""
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()

    def request(self, method: str, target: str = "rtsp://h/film", *fields: str) -> int:
        """Send one; its number."""
        self.cseq += 1
        lines = [f"{method} {target} RTSP/1.0", f"CSeq: {self.cseq}", *fields, "", ""]
        self.send("\r\n".join(lines).encode())
        return self.cseq

    async def ask(self, method: str, target: str = "rtsp://h/film", *fields: str) -> Response:
        number = self.request(method, target, *fields)
        said = await self.answer()
        assert said.cseq == number
        return said

    async def answer(self) -> Response:
        event = await self.event()
        assert isinstance(event, Response), event
        return event

    async def event(self) -> Request | Response:
        """The next message; frames are gathered."""
        while True:
            event = self.codec.next()
            if isinstance(event, Frames):
                self.frames += event.data
            elif event is not None:
                assert isinstance(event, (Request, Response))
                return event
            else:
                data = await within(self.reader.read(65536))
                assert data, "the director has closed"
                self.codec.feed(data)

    async def media(self, count: int) -> bytes:
        """So many bytes of frames."""
        while len(self.frames) < count:
            event = self.codec.next()
            if event is None:
                data = await within(self.reader.read(65536))
                assert data, "the director has closed"
                self.codec.feed(data)
            else:
                assert isinstance(event, Frames)
                self.frames += event.data
        return self.frames

    async def rest(self) -> bytes:
        """All up to the end."""
        return self.codec.take_rest() + await within(self.reader.read(-1))

    async def set_up(self, *fields: str, target: str = "rtsp://h/film/track1") -> str:
        """A SETUP that succeeds; the session's id as the client knows it."""
        said = await self.ask("SETUP", target, *(fields or ("Transport: RTP/AVP/TCP",)))
        assert said.status == 200, said.head
        return (said.get(b"session") or b"").partition(b";")[0].decode()


class WordRelays:
    """`l7lb.media.ports.Relays` that remembers what it was asked."""

    def __init__(self) -> None:
        self.is_there = True
        self.opened: list[RelayAsk] = []
        self.told: list[tuple[RelayStream, RelayPeers]] = []
        self.touched: list[tuple[str, float]] = []
        self.closed: list[tuple[str, int]] = []
        self.timeouts: list[float] = []
        self.refusal: RelayRefused | None = None
        self.gate: asyncio.Event | None = None

    async def open(self, ask: RelayAsk) -> RelayStream:
        if self.gate is not None:
            await within(self.gate.wait())
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(ask)
        number = len(self.opened)
        ports = 40000 + 4 * number
        session = ask.session or f"relay{number}"
        return RelayStream(session, number, (ports, ports + 1), (ports + 2, ports + 3))

    async def peers(self, stream: RelayStream, told: RelayPeers) -> None:
        self.told.append((stream, told))

    async def touch(self, session: str, *, silent_s: float = 0.0, timeout_s: float = 0.0) -> None:
        self.touched.append((session, silent_s))
        self.timeouts += [timeout_s] if timeout_s else []

    async def close(self, session: str, stream: int = -1) -> None:
        self.closed.append((session, stream))


class WordKernel:
    """`l7lb.media.ports.Kernel` that has no rights and remembers what it was asked."""

    def __init__(self) -> None:
        self.sockets: list[str] = []
        self.latched: list[FlowPath] = []
        self.unlatched: list[FlowPath] = []
        self.heard = "as-named"
        self.refusal: MediaRefused | None = None

    async def transparent_socket(self, source: str) -> socket.socket:
        if self.refusal is not None:
            raise self.refusal
        self.sockets.append(source)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.bind((source, 0))
        return sock

    async def latch(self, path: FlowPath, timeout_s: int) -> str:
        self.latched.append(path)
        return self.heard

    async def unlatch(self, path: FlowPath) -> None:
        self.unlatched.append(path)


class WordModes:
    """`l7lb.media.ports.Modes` by the words of the pool, without a kernel."""

    def __init__(self, relays: object) -> None:
        self._relay = "" if isinstance(relays, WordRelays) and relays.is_there else "no relay"

    def choose(self, service: str, pool: PoolSpec, server: ServerSpec, client: str) -> Choice:
        found = choose(pool.media.modes, Known(kernel="no kernel", relay=self._relay))
        return Choice(Mode(found.mode) if found.mode else None, found.words())


class RtspRig(Rig):
    """`parts` are given to the office."""

    def __init__(self, spec: ClusterSpec, parts: Parts | None = None) -> None:
        super().__init__(spec)
        self.parts = parts or Parts()
        if self.parts.modes is None:
            self.parts.modes = WordModes(self.parts.relays)

    async def prepare(self) -> None:
        self.office = Office(b"s" * 32, self.engine.now, self.parts)
        self.plugs["rtsp"] = self.plug = RtspPlug(self.office)
        self.engine.env.plugs["rtsp"] = self.plug

    async def __aexit__(self, error: object, *more: object) -> None:
        if error is None:
            await self.until(lambda: not self.engine.drivers)
        await self.office.close()
        await super().__aexit__(error, *more)

    async def client(self, **options: Any) -> RtspClient:
        return RtspClient(*await within(asyncio.open_connection("127.0.0.1", self.port, **options)))


def rtsp_service(*routes: Any, **more: Any) -> ServiceSpec:
    options = RtspOptions(**more.pop("rtsp", {}))
    more.setdefault("listen", (ListenSpec(Address("127.0.0.1", 0)),))
    return replace(service(*routes, **more), protocol="rtsp", rtsp=options)


def to(*servers: ScriptedServer, parts: Parts | None = None, **more: Any) -> RtspRig:
    """A rig whose one route goes to a pool `media` of these servers."""
    options = {key: more.pop(key) for key in ("rtsp", "timeouts") if key in more}
    spec = pool("media", *(server.port for server in servers), **more)
    one = rtsp_service(route("media"), **options)
    return RtspRig(ClusterSpec({"media": spec}, {one.name: one}), parts)
