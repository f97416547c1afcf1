"""A secret in a rules file: where it is read, never what it is."""

from __future__ import annotations

from typing import Annotated

from l7lb.config import texts
from l7lb.config.fields import TEXT, Parsed, Section

FileName = Annotated[str, Parsed(texts.file_name, {**TEXT, "x-unit": "file"})]


class Secret(Section):
    """Where a secret is read; exactly one of these."""

    file: FileName | None = None
    """File that holds it; a line end at its end is left out."""
    env: Annotated[str, Parsed(texts.variable, TEXT)] | None = None
    """Environment variable that holds it."""
