"""Texts that say where mailboxes are: paths with names in braces."""

from __future__ import annotations

import re

from l7lb.config.refusal import Refusal
from l7lb.config.texts import text_of
from l7lb.config.units import shown
from l7lb.model_migration import TEMPLATE_NAMES

PATH_LIMIT = 1024
_BRACES = re.compile(r"\{([^{}]*)\}")


def mail_path(value: object) -> str:
    """Absolute, and another one for each account."""
    text = text_of(value)
    if not text.startswith("/") or not text.isprintable() or len(text) > PATH_LIMIT:
        raise Refusal(f"{shown(text)} is no absolute path", "such as /srv/mail/{account}")
    names = _BRACES.findall(text)
    unknown = [name for name in names if name not in TEMPLATE_NAMES]
    if unknown or "{" in _BRACES.sub("", text) or "}" in _BRACES.sub("", text):
        known = ", ".join(f"{{{name}}}" for name in TEMPLATE_NAMES)
        raise Refusal(f"{shown(text)} has braces with no meaning", f"known: {known}")
    if "account" not in names and not {"user", "domain"} <= {*names}:
        raise Refusal(
            f"{shown(text)} is the same for several accounts",
            "write {account}, or {domain} and {user}",
        )
    if ".." in text.split("/") or text.endswith("/"):
        raise Refusal(f"{shown(text)} is no plain path", "no .. and no / at its end")
    return text
