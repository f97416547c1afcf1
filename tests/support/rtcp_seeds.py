"""Compounds of RTCP as players and servers send them, for tests and the fuzz target."""

from l7lb_protocols.rtcp import (
    Goodbye,
    Other,
    Packet,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    Source,
    SourceDescription,
    build,
)

BLOCK = ReportBlock(0xCAFE, 64, -3, 0x1_0007, 21, 0xABCD0123, 65536)
COMPOUNDS: dict[str, tuple[Packet, ...]] = {
    "sender": (
        SenderReport(0xCAFE, 0xE5000000_80000000, 90000, 12, 9000),
        SourceDescription((Source(0xCAFE, b"server@example.org"),)),
    ),
    "receiver": (
        ReceiverReport(1, (BLOCK, ReportBlock(2, 255, (1 << 23) - 1, 0, 0))),
        SourceDescription((Source(1, b"me"), Source(2, b"abc"), Source(3))),
    ),
    "goodbye": (ReceiverReport(1), Goodbye((1, 2), b"teardown")),
    "goodbye without words": (ReceiverReport(1), Goodbye((1,))),
    "feedback alone": (Other(206, 1, b"\0\0\0\1\0\0\0\2"),),
    "sender that hears": (SenderReport(5, 0, 0, 0, 0, (BLOCK,)), Goodbye(())),
}
DATAGRAMS = {name: build(packets) for name, packets in COMPOUNDS.items()}
