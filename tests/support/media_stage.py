"""A lab with one director at work: rules in its kernel, a control path, a media server, perhaps its
agent. One stage serves many tests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from l7lb.media.kernel.client import MediaKernel
from support.media_director import (
    MediaDirector,
    start_direct,
    start_server,
    start_vlc,
    url_of,
    wanted,
)
from support.media_lab import MediaLab, media_lab

T = TypeVar("T")


@dataclass(slots=True)
class Stage:
    lab: MediaLab
    director: MediaDirector
    version: int
    mode: str
    folder: Path

    @property
    def url(self) -> str:
        return url_of(self.version)

    def ask(self, question: Callable[[MediaKernel], Awaitable[T]]) -> T:
        return ask(self.director, question)

    def want(self) -> None:
        self.ask(lambda kernel: kernel.want(wanted(self.version, [self.mode])))


def ask(director: MediaDirector, question: Callable[[MediaKernel], Awaitable[T]]) -> T:
    """One question to that director's media-kernel process, on a connection of its own."""

    async def asked() -> T:
        kernel = director.kernel()
        try:
            return await question(kernel)
        finally:
            kernel.close()

    return asyncio.run(asked())


@contextmanager
def stage(version: int, mode: str, folder: Path, server: str = "gst") -> Iterator[Stage]:
    """Server s1 plays /film; d1 has the VIP."""
    with media_lab() as lab:
        lab.way_back("router" if mode == "direct" else "director")
        director = MediaDirector(lab["d1"], folder, "d1")
        here = Stage(lab, director, version, mode, folder)
        director.start_kernel()
        here.want()
        if mode == "direct":
            start_direct(lab, "s1", version, folder)
        gst = start_server(lab, "s1", version) if server == "gst" else None
        try:
            with tempfile.TemporaryDirectory() as public:
                if gst is None:
                    start_vlc(lab, "s1", version, Path(public))
                director.start_control(version, "s1")
                yield here
        finally:
            if gst is not None:
                gst.close()
