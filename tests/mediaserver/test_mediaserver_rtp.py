from l7lb.mediaserver.rtp import Stream
from l7lb_protocols.rtcp import Goodbye, SenderReport, Source, SourceDescription, parse


def test_numbers_go_on_and_around() -> None:
    stream = Stream(0x01020304, "film-1", 0xFFFF, 0xFFFFFFFF)
    first = stream.packet(b"s" * 160, is_first=True)
    second = stream.packet(b"s" * 160, is_first=False)
    assert first[:12] == bytes.fromhex("8080 ffff ffffffff 01020304")
    assert second[:12] == bytes.fromhex("8000 0000 0000009f 01020304")
    assert len(second) == 172


def test_reports_say_who_and_how_much() -> None:
    stream = Stream(7, "film-1", 0, 1000)
    stream.packet(b"s" * 160, is_first=True)
    sender, name = parse(stream.report(0.5))
    assert sender == SenderReport(7, 2_208_988_800 << 32 | 1 << 31, 1160, 1, 160)
    assert name == SourceDescription((Source(7, b"film-1"),))
    assert parse(stream.goodbye(0.5)) == [sender, name, Goodbye((7,))]
