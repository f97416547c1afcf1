"""What RTCP told of a stream."""

from l7lb.media.relay.reports import Reports
from l7lb_protocols.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, build


def block(ssrc: int, lost: int) -> ReportBlock:
    return ReportBlock(ssrc, 128, lost, 10, 7)


def test_losses_are_those_of_the_sender_that_was_named() -> None:
    reports = Reports()
    reports.ssrc = 2
    data = build([ReceiverReport(9, (block(1, 100), block(2, 3)))])
    assert not reports.read(data, 50.0)
    assert reports.figures(52.0) == {
        "unreadable": 0,
        "has_left": False,
        "lost": 3,
        "lost_share": 0.5,
        "jitter": 7,
        "age_s": 2.0,
    }


def test_without_a_name_the_first_counts() -> None:
    reports = Reports()
    reports.read(build([ReceiverReport(9, (block(1, 100), block(2, 3)))]), 0.0)
    assert reports.figures(0.0)["lost"] == 100


def test_what_a_sender_says_to_have_sent() -> None:
    reports = Reports()
    reports.read(build([SenderReport(1, 0, 0, 12, 3400)]), 0.0)
    figures = reports.figures(0.0)
    assert (figures["sent_packets"], figures["sent_octets"]) == (12, 3400)
    assert "lost" not in figures


def test_a_goodbye_is_told_once() -> None:
    reports = Reports()
    goodbye = build([ReceiverReport(1), Goodbye((1,))])
    assert reports.read(goodbye, 0.0)
    assert not reports.read(goodbye, 0.0)
    assert reports.figures(0.0)["has_left"] is True


def test_nonsense_is_counted_and_changes_nothing() -> None:
    reports = Reports()
    reports.read(build([ReceiverReport(9, (block(1, 4),))]), 0.0)
    assert not reports.read(b"\x80\x60 not RTCP", 9.0)
    assert reports.figures(1.0)["lost"] == 4
    assert reports.figures(1.0)["unreadable"] == 1
