"""The listener for Prometheus."""

import http.client

import aiohttp
import pytest

from l7lb.director.exposition import MetricsServer
from l7lb.model import Address
from support.running_director import Director, free_port


async def text() -> bytes:
    return b"x 1\n"


async def status_of(port: int, method: str = "GET", target: str = "/metrics") -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{target}") as response,
    ):
        await response.read()
        return response.status


async def test_it_answers_get_metrics_alone() -> None:
    port = free_port()
    server = MetricsServer(text)
    await server.move(Address("127.0.0.1", port))
    assert await status_of(port) == 200
    assert await status_of(port, "POST") == 405
    assert await status_of(port, "GET", "/v1/status") == 404
    await server.close()
    with pytest.raises(aiohttp.ClientConnectionError):
        await status_of(port)


async def test_a_move_that_fails_leaves_it_where_it_was() -> None:
    port, taken = free_port(), free_port()
    other = MetricsServer(text)
    await other.move(Address("127.0.0.1", taken))
    server = MetricsServer(text)
    await server.move(Address("127.0.0.1", port))
    with pytest.raises(OSError, match="in use"):
        await server.move(Address("127.0.0.1", taken))
    assert await status_of(port) == 200
    await server.close()
    await other.close()


def test_a_running_director_shows_its_traffic(idle_director: Director) -> None:
    port = free_port()
    idle_director.write()
    file = idle_director.file
    file.write_text(file.read_text().replace("127.0.0.1:0\n  loop", f"127.0.0.1:{port}\n  loop"))
    idle_director.start()
    idle_director.ask()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    lines = response.read().decode().splitlines()
    connection.close()
    assert response.status == 200
    assert 'l7lb_service_requests_total{code_class="2xx",service="www"} 1.0' in lines
    assert "l7lb_workers_answering 2.0" in lines
    assert 'l7lb_server_up{pool="web",server="a"} 1.0' in lines
