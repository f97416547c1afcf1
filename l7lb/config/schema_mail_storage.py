"""What may stand below `mail:` in a rules file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import shorthand, texts_storage
from l7lb.config.fields import TEXT, Duration, Parsed, Section, Short
from l7lb.model_migration import MailStorageSpec

_STORAGE = MailStorageSpec()

MailPath = Annotated[str, Parsed(texts_storage.mail_path, {**TEXT, "x-unit": "path"})]


class MailStorageSection(Section):
    """Where Maildirs are, as `l7lb migrate` and `l7lb rebalance` see them. Short form: the path."""

    path: MailPath | None = None
    """Maildir of an account, with `{account}`, or `{domain}` and `{user}`. With `{server}` each
    server has storage of its own, without it all share one."""
    roots: dict[str, MailPath] = Field(default={})
    """Paths of single servers, by name, that differ from `path`."""
    fence: Literal["maildir", "home"] = _STORAGE.fence.value
    """Where mail servers keep the fence file: in the Maildir, or in the directory above it, which
    then must be the account's own."""
    keep_source: Duration = _STORAGE.keep_source_s
    """Mail that was moved away is kept so long."""


class MailSection(Section):
    """Mail, beside its services."""

    storage: Annotated[MailStorageSection | None, Short(shorthand.keyed("path", str), (TEXT,))] = (
        None
    )
    """Where Maildirs are."""
