"""A thread for each thing that may hang: in order, with deadlines, and errors to whoever asked."""

from __future__ import annotations

import threading

import pytest

from l7lb.media.hot.rooms import Room


async def test_work_comes_back_or_raises() -> None:
    room = Room("test")
    assert await room.run(lambda: threading.current_thread().name) == "test"
    with pytest.raises(ZeroDivisionError):
        await room.run(lambda: 1 // 0)
    assert room.is_free
    room.close()


async def test_a_deadline_ends_the_waiting_and_the_room_stays_taken() -> None:
    room, go = Room("test"), threading.Event()
    with pytest.raises(TimeoutError):
        await room.run(go.wait, 0.01)
    assert not room.is_free
    go.set()
    assert await room.run(lambda: "after it") == "after it"
    assert room.is_free
    room.close()
