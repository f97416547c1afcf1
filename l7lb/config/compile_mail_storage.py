"""`mail.storage:` from the schema to the specification."""

from __future__ import annotations

from l7lb.config.schema_mail_storage import MailSection
from l7lb.config.scope import Scope
from l7lb.config.validate import Valid
from l7lb.model_migration import FencePlace, MailStorageSpec


def mail_storage_spec(valid: Valid[MailSection], scope: Scope) -> MailStorageSpec | None:
    """None when the file says nothing of it, or with the problem noted."""
    storage = valid.section.storage
    if valid.broken or storage is None:
        return None
    spot = scope.at("storage")
    if storage.path is None and not storage.roots:
        spot.problem("storage has no path", "such as /srv/mail/{account}")
    paths = [*storage.roots.values(), *([storage.path] if storage.path else [])]
    fence = FencePlace(storage.fence)
    if fence is FencePlace.HOME and any(map(_is_shared_home, paths)):
        spot.at("fence").problem(
            "the directory above the Maildir is not the account's own",
            "write fence: maildir, or a path such as /srv/mail/{account}/Maildir",
        )
    return MailStorageSpec(
        path=storage.path or "",
        roots=tuple(storage.roots.items()),
        fence=fence,
        keep_source_s=storage.keep_source,
    )


def _is_shared_home(path: str) -> bool:
    home = path.rpartition("/")[0]
    return "{account}" not in home and not ("{user}" in home and "{domain}" in home)
