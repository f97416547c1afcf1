"""A director's control path at its smallest, for tests of the data plane: RTSP passed on as it is.

`python control_proxy.py SOCKET VIP PORT SERVER`: each client's connection to VIP:PORT goes to
SERVER:PORT with the client's address, by a socket of the media-kernel process at SOCKET; the
server's own address in what it says becomes the VIP. All its sockets are quiet. Says `ready` when
it listens.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from l7lb.media.kernel.client import MediaKernel
from l7lb.media.quiet import PRIORITY

READ_BYTES = 65536


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swap: tuple[bytes, bytes]
) -> None:
    with suppress(OSError):
        while data := await reader.read(READ_BYTES):
            writer.write(data.replace(*swap) if data.startswith(b"RTSP/") else data)
            await writer.drain()
    writer.close()


async def main(path: str, vip: str, port: int, server: str) -> None:
    kernel = MediaKernel(Path(path))
    swap = (server.encode(), vip.encode())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = ip_address(writer.get_extra_info("peername")[0])
        sock = await kernel.transparent_socket(source)
        for each in (sock, writer.get_extra_info("socket")):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, PRIORITY)
        await asyncio.get_running_loop().sock_connect(sock, (server, port))
        back, forth = await asyncio.open_connection(sock=sock)
        await asyncio.gather(pump(reader, forth, (b"", b"")), pump(back, writer, swap))

    listener = await asyncio.start_server(serve, vip, port)
    print("ready", flush=True)
    await listener.serve_forever()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
