"""Tell systemd how we are (sd_notify(3)), when it asked to be told."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send `state`, such as READY=1. Without $NOTIFY_SOCKET nothing happens; nothing is raised."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        try:
            sock.sendto(state.encode(), address)
        except OSError:
            return
