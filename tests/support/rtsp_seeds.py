"""Lawful and nearly lawful RTSP to start from, for the fuzz targets and for Hypothesis."""

from __future__ import annotations


def wire(*texts: bytes) -> tuple[bytes, ...]:
    """`|` stands for CRLF."""
    return tuple(text.replace(b"|", b"\r\n") for text in texts)


STREAMS = wire(
    b"OPTIONS * RTSP/1.0|CSeq: 1||DESCRIBE rtsp://h/a RTSP/1.0|CSeq: 2|Accept: application/sdp||",
    b"|SETUP rtsp://h:554/a/track=1 RTSP/1.0|CSeq: 3|Transport: RTP/AVP;client_port=5000-5001||",
    b"RTSP/1.0 200 OK|CSeq: 2|Content-Length: 5||v=0|$\x00\x00\x04abcd$\x01\x00\x00RTSP/1.0 454||",
    b"$\x00\x00\x02ab$\x01\x00\x01cTEARDOWN rtsp://h/a RTSP/1.0|CSeq: 9|Session: 12;timeout=60||",
    b"ANNOUNCE rtsp://[::1]:554/live RTSP/1.0|CSeq: 1|Content-Length: 3||v=0$\x00\x00\x01",
    b"SETUP rtsp://h/a RTSP/2.0|CSeq:1|Session :  7.a_b-c |Foo: b\xc3\xa9 |Foo: c||RTSP/1.0 200||",
    b"GET /film HTTP/1.0|x-sessioncookie: abc|Host: h:80|Accept: application/x-rtsp-tunnelled||",
)
TRANSPORTS = (
    b"RTP/AVP;unicast;client_port=4588-4589",
    b"RTP/AVP/UDP;unicast;client_port=4588",
    b"RTP/AVP;unicast;client_port=4588/4589;mode=play",
    b'RTP/AVP/TCP;unicast;interleaved=0-1;mode="PLAY",RTP/AVP/UDP;unicast;client_port=6970-6971',
    b"RTP/AVP/TCP",
    b"RTP/AVP/TCP;unicast",
    b"RTP/SAVP;unicast;client_port=1-2",
    b"RAW/RAW/UDP;unicast;client_port=5000",
    b"MP2T/H2221/UDP;unicast;client_port=5000-5001;destination=10.0.0.9:5000",
    b"RTP/AVP;multicast;destination=224.2.0.1;port=3456-3457;ttl=16",
    b"RTP/AVP/UDP;unicast;source=192.0.2.1;server_port=20000-20001;client_port=1024-1025;ssrc=ABCD",
    b'RTP/AVP;unicast;mode="PLAY,RECORD";destination=[2001:db8::1]:5;client_port=5-6; ',
    b"RTP/AVP/TCP;interleaved=2",
)
