import asyncio
import json
import socket

import pytest

from l7lb.demo import visitor as module
from l7lb.demo.origin import Origin
from l7lb.demo.visitor import Report, Visitor, parse_address, run


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def test_a_dead_director_is_passed_over() -> None:
    server = await Origin("web-1").serve("127.0.0.1", 0)
    alive = server.sockets[0].getsockname()[:2]
    visitor = Visitor([("127.0.0.1", closed_port()), alive])
    for _ in range(4):
        await visitor.visit()
    server.close()
    report = visitor.take_report()
    assert (report.origins, report.failed) == ({"web-1": 4}, 0)
    assert visitor.take_report() == Report()


async def test_no_director_left_is_a_failure() -> None:
    visitor = Visitor([("127.0.0.1", closed_port())])
    await visitor.visit()
    assert visitor.report.failed == 1


async def test_reports_add_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_S", 0.05)
    monkeypatch.setattr(module, "PAUSE_S", 0.001)
    server = await Origin("web-1").serve("127.0.0.1", 0)
    stop = asyncio.Event()
    running = asyncio.get_running_loop().create_task(
        run([server.sockets[0].getsockname()[:2]], stop)
    )
    asyncio.get_running_loop().call_later(0.3, stop.set)
    total = await running
    server.close()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line["origins"].get("web-1", 0) for line in lines) == total.origins["web-1"] > 0


def test_addresses() -> None:
    assert parse_address("198.18.40.11:8080") == ("198.18.40.11", 8080)
