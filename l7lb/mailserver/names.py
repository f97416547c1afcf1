"""Names of accounts and folders as names of directories, so that no name leads out of the root.

Owns the two encodings. Must not know what is in the directories.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from l7lb.errors import MailboxRefused

INBOX = "INBOX"
SAFE = "@+=_-.,"
LONGEST = 200
"""Bytes of a file name; ext4 and most others take 255."""
SEPARATOR = "."
"""Between a folder's name and its child's, on the wire and on disk (Maildir++)."""
_FOLDER = re.compile(r"[^\x00-\x1f\x7f/\\.*%\"]+(?:\.[^\x00-\x1f\x7f/\\.*%\"]+)*")


def account_directory(account: str) -> str:
    """One for each account, readable where that can be: letters, digits and SAFE stay.

    `account` is the directory's one name for it, in lower case.
    """
    text = quote(account, safe=SAFE)
    if text.startswith("."):
        text = "%2E" + text[1:]
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 66]}%~{hashlib.sha256(account.encode()).hexdigest()}"


def folder_directory(folder: str) -> str:
    """Below the Maildir; empty for INBOX. Raises MailboxRefused.

    `folder` as on the wire, in modified UTF-7 (RFC 3501 §5.1.3), which is ASCII.
    """
    name = canonical(folder)
    if name == INBOX:
        return ""
    if not name.isascii() or len(name) > LONGEST or not _FOLDER.fullmatch(name):
        raise MailboxRefused("a folder cannot have this name")
    return SEPARATOR + name


def canonical(folder: str) -> str:
    """INBOX in any case is one folder (RFC 3501 §5.1)."""
    return INBOX if folder.upper() == INBOX else folder
