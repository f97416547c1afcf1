"""Requests of one control connection to answers (RFC 2326 §10). Must not know how bytes arrive."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from l7lb.mediaserver.clip import PACKET_S, TRACK, Asked, Clip, describe, read_path
from l7lb.mediaserver.rtp import Stream
from l7lb.mediaserver.session import Session, Sessions
from l7lb.mediaserver.spec import ServerSpec
from l7lb.mediaserver.way import TcpWay, UdpWay, Way
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.grammar import VERSION
from l7lb_protocols.rtsp.message import Request, response
from l7lb_protocols.rtsp.session_id import parse as parse_session
from l7lb_protocols.rtsp.transport import Transport, same_host
from l7lb_protocols.rtsp.transport import parse as parse_transports
from l7lb_protocols.rtsp.url import read as read_url

RANGE = re.compile(rb"npt[ \t]*=[ \t]*(?:now|([0-9]{1,6}(?:\.[0-9]{0,9})?))[ \t]*-.*")
"""RFC 2326 §3.6; only where to begin is heeded."""
Fields = Sequence[tuple[bytes, bytes]]


class Ends(NamedTuple):
    """Of the control connection."""

    local: str
    peer: str
    writer: asyncio.StreamWriter


class Dialogue:
    def __init__(self, spec: ServerSpec, sessions: Sessions, ends: Ends) -> None:
        self._spec = spec
        self._sessions = sessions
        self._ends = ends
        self._methods: dict[bytes, Callable[[Request], bytes]] = {
            b"OPTIONS": self._options,
            b"DESCRIBE": self._describe,
            b"SETUP": self._set_up,
            b"PLAY": self._play,
            b"PAUSE": self._pause,
            b"GET_PARAMETER": self._parameter,
            b"SET_PARAMETER": self._parameter,
            b"TEARDOWN": self._tear_down,
        }

    def answer(self, request: Request) -> bytes:
        try:
            if request.version != VERSION:
                raise RtspRefusal(505, "RTSP 1.0 only", "RFC 2326 §7.1")
            request.cseq  # noqa: B018 - refused before anything is done
            method = self._methods.get(request.method)
            if method is None:
                raise RtspRefusal(501, "no such method here", "RFC 2326 §10")
            return method(request)
        except RtspRefusal as refusal:
            return self.refusal(request, refusal.status)

    def refusal(self, request: Request, status: int) -> bytes:
        try:
            number: int | None = request.cseq
        except RtspRefusal:
            number = None
        return response(status, number, [(b"Server", self._spec.name.encode())])

    def heard(self) -> None:
        """Interleaved frames came: the player's RTCP."""
        for session in self._sessions:
            if session.writer is self._ends.writer:
                session.touch()

    def close(self) -> None:
        """The connection has ended; sessions over UDP go on."""
        self._sessions.end_of(self._ends.writer)

    # ------------------------------------------------------------------ methods

    def _options(self, request: Request) -> bytes:
        if request.get(b"session") is not None:
            self._session(request)
        return self._good(request, [(b"Public", b", ".join(self._methods))])

    def _describe(self, request: Request) -> bytes:
        clip = self._clip(self._asked(request))
        try:
            body = describe(clip, self._spec.name, self._ends.local)
        finally:
            clip.close()
        fields = [
            (b"Content-Type", b"application/sdp"),
            (b"Content-Base", request.target.rstrip(b"/") + b"/"),
            (b"Content-Length", b"%d" % len(body)),
        ]
        return self._good(request, fields) + body

    def _set_up(self, request: Request) -> bytes:
        asked = self._asked(request)
        transport = self._chosen(request)
        if request.get(b"session") is not None:
            session = self._session(request)
            if session.is_playing:
                raise RtspRefusal(455, "it plays", "RFC 2326 §10.4")
            if session.clip.name != asked.name:
                raise RtspRefusal(459, "a session has one clip", "RFC 2326 §11.3.10")
            self._lay(session, transport)
        else:
            session = self._new_session(asked, transport)
        assert session.way is not None
        told = session.way.transport + b";ssrc=%08X" % session.stream.ssrc
        return self._good(request, [self._session_field(session), (b"Transport", told)])

    def _play(self, request: Request) -> bytes:
        session = self._session(request)
        first = _first_packet(request.get(b"range"))
        if first is not None and first >= session.clip.packets:
            raise RtspRefusal(457, "beyond the end", "RFC 2326 §11.3.8")
        track = request.target.rstrip(b"/").removesuffix(b"/" + TRACK.encode())
        info = b"url=%s/%s;seq=%d;rtptime=%d" % (
            track,
            TRACK.encode(),
            session.stream.sequence,
            session.stream.time,
        )
        session.play(first)
        begin = b"npt=%.3f-%.3f" % (session.position * PACKET_S, session.clip.seconds)
        fields = [self._session_field(session), (b"Range", begin), (b"RTP-Info", info)]
        return self._good(request, fields)

    def _pause(self, request: Request) -> bytes:
        session = self._session(request)
        session.pause()
        return self._good(request, [self._session_field(session)])

    def _parameter(self, request: Request) -> bytes:
        """Without a body it says that the player lives; parameters we have none."""
        fields: Fields = ()
        if request.get(b"session") is not None:
            fields = [self._session_field(self._session(request))]
        if request.body:
            raise RtspRefusal(451, "no such parameter", "RFC 2326 §11.3.2")
        return self._good(request, fields)

    def _tear_down(self, request: Request) -> bytes:
        self._sessions.end(self._session(request))
        return self._good(request)

    # ------------------------------------------------------------------ parts of them

    def _good(self, request: Request, fields: Fields = ()) -> bytes:
        return response(200, request.cseq, [(b"Server", self._spec.name.encode()), *fields])

    def _asked(self, request: Request) -> Asked:
        asked = read_path(read_url(request.target).path)
        if asked is None:
            raise RtspRefusal(404, "no such clip", "RFC 2326 §7.1.1")
        return asked

    def _clip(self, asked: Asked) -> Clip:
        try:
            return Clip(self._spec.folder, asked.name)
        except OSError as error:
            raise RtspRefusal(404, str(error), "RFC 2326 §7.1.1") from None

    def _session(self, request: Request) -> Session:
        """The request's; its player is heard of by this. Only the address that made it may."""
        field = request.get(b"session")
        found = None if field is None else self._sessions.find(parse_session(field).id)
        if found is None or not same_host(found.peer, self._ends.peer):
            raise RtspRefusal(454, "no such session", "RFC 2326 §11.3.5")
        found.touch()
        return found

    def _session_field(self, session: Session) -> tuple[bytes, bytes]:
        return b"Session", session.id + b";timeout=%d" % self._spec.timeout_s

    def _new_session(self, asked: Asked, transport: Transport) -> Session:
        if self._sessions.is_full:
            raise RtspRefusal(453, "too many sessions", "RFC 2326 §11.3.4")
        clip = self._clip(asked)
        dice = (secrets.randbits(32), self._spec.name, secrets.randbits(16), secrets.randbits(32))
        session = Session(clip, Stream(*dice), self._ends.peer)
        try:
            self._lay(session, transport)
        except RtspRefusal:
            session.close()
            raise
        self._sessions.add(session)
        return session

    def _lay(self, session: Session, transport: Transport) -> None:
        """A way for its packets, instead of one that it had."""
        way = self._way(session, transport)
        if session.way is not None:
            session.way.close()
        session.way = way

    def _way(self, session: Session, transport: Transport) -> Way:
        if transport.is_tcp:
            return TcpWay(self._ends.writer, self._channels(transport))
        ports = transport.ports(b"client_port")
        assert ports is not None
        try:
            return UdpWay(self._ends.local, self._ends.peer, ports, session.touch)
        except OSError as error:
            raise RtspRefusal(453, str(error), "RFC 2326 §11.3.4") from None

    def _channels(self, transport: Transport) -> tuple[int, int]:
        channels = transport.channels() or (0, 1)
        if channels[1] > 255:
            raise RtspRefusal(400, "interleaved is no pair of channels", "RFC 2326 §12.39")
        return channels

    def _chosen(self, request: Request) -> Transport:
        """The first that we can do and that sends nothing to a third party."""
        for each in parse_transports(request.get(b"transport") or b""):
            profile = each.spec.upper()
            if not profile.startswith(b"RTP/AVP") or profile.startswith(b"RTP/AVPF"):
                continue
            if each.is_record or each.is_multicast:
                continue
            goal = each.address(b"destination")
            if goal is not None and not same_host(goal[0], self._ends.peer):
                continue
            if each.is_tcp or each.ports(b"client_port") is not None:
                return each
        raise RtspRefusal(461, "no transport of these", "RFC 2326 §11.3.12")


def _first_packet(field: bytes | None) -> int | None:
    """None: where it stands."""
    if field is None:
        return None
    match = RANGE.fullmatch(field)
    if match is None:
        raise RtspRefusal(457, "only npt ranges", "RFC 2326 §12.29")
    return int(float(match[1]) / PACKET_S + 1e-6) if match[1] else None
