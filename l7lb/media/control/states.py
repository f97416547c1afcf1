"""The states of one client's control connection, and what leads from one to the next: all there is.

The states of RTSP sessions (RFC 2326 §A) are the server's; they outlive connections.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    FREE = "free"
    """No server: at the beginning, and when one has gone."""
    CHOOSING = "choosing"
    """A server is being found and connected; nothing is read from the client."""
    PINNED = "pinned"
    """Requests go to this server."""
    SETTING_UP = "setting-up"
    """Ports are being opened for a SETUP; nothing is read from the client."""
    OVER = "over"


class Turn(Enum):
    CHOOSE = "choose"
    CONNECTED = "connected"
    FAILED = "failed"
    OPEN_PORTS = "open-ports"
    PORTS_OPEN = "ports-open"
    GONE = "gone"
    """The server has gone, or was let go."""
    END = "end"


NEXT: dict[tuple[State, Turn], State] = {
    (State.FREE, Turn.CHOOSE): State.CHOOSING,
    (State.CHOOSING, Turn.CONNECTED): State.PINNED,
    (State.CHOOSING, Turn.FAILED): State.FREE,
    (State.PINNED, Turn.OPEN_PORTS): State.SETTING_UP,
    (State.SETTING_UP, Turn.PORTS_OPEN): State.PINNED,
    (State.PINNED, Turn.GONE): State.FREE,
    (State.SETTING_UP, Turn.GONE): State.FREE,
    (State.FREE, Turn.END): State.OVER,
    (State.CHOOSING, Turn.END): State.OVER,
    (State.PINNED, Turn.END): State.OVER,
    (State.SETTING_UP, Turn.END): State.OVER,
}
READS = frozenset((State.FREE, State.PINNED))
"""In which the client's next request is looked at."""
