"""All entries about requests."""

from __future__ import annotations

from badinput.catalogue import (
    chunked,
    connection,
    fields,
    framing,
    host,
    path,
    pipeline,
    request_line,
)
from badinput.catalogue.case import Case

REQUESTS: tuple[Case, ...] = (
    *framing.CASES,
    *chunked.CASES,
    *request_line.CASES,
    *host.CASES,
    *fields.CASES,
    *path.CASES,
    *connection.CASES,
    *pipeline.CASES,
)
