"""What a relay costs that is written in the ordinary way: asyncio's datagram endpoints.

Run: python asyncio_relay.py NEAR FAR PORT FLOWS TARGET TARGET_PORT. Datagrams to NEAR:PORT + 2 N go
on from FAR to TARGET:TARGET_PORT + 2 N. Prints `ready`, and runs until it is ended.
"""

from __future__ import annotations

import asyncio
import sys


class Out(asyncio.DatagramProtocol):
    pass


class In(asyncio.DatagramProtocol):
    def __init__(self, out: asyncio.DatagramTransport) -> None:
        self.out = out

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        self.out.sendto(data)


async def main() -> None:
    near, far, port, flows, target, target_port = sys.argv[1:]
    loop = asyncio.get_running_loop()
    for number in range(int(flows)):
        place = int(port) + 2 * number
        out, _ = await loop.create_datagram_endpoint(
            Out, local_addr=(far, place), remote_addr=(target, int(target_port) + 2 * number)
        )
        await loop.create_datagram_endpoint(lambda out=out: In(out), local_addr=(near, place))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
