"""Which event loop a process runs: uvloop where it is installed and wanted, else asyncio's."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable
from typing import cast

CHOICES = ("auto", "uvloop", "asyncio")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def loop_factory(choice: str) -> LoopFactory:
    """Raises ValueError when uvloop is demanded and not installed."""
    if choice not in CHOICES:
        raise ValueError(f"no such loop: {choice}")
    if choice == "asyncio":
        return asyncio.new_event_loop
    if importlib.util.find_spec("uvloop") is None:
        if choice == "uvloop":
            raise ValueError("uvloop is not installed")
        return asyncio.new_event_loop
    return cast("LoopFactory", importlib.import_module("uvloop").new_event_loop)
