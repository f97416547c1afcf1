"""All entries about responses."""

from __future__ import annotations

from badinput.catalogue import response_bodies, response_heads
from badinput.catalogue.case import ResponseCase

RESPONSES: tuple[ResponseCase, ...] = (*response_heads.CASES, *response_bodies.CASES)
