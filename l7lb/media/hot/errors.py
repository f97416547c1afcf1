"""What can go wrong with copies of files; all of it leaves every file readable."""

from __future__ import annotations

from l7lb.errors import L7lbError


class HotFilesError(L7lbError):
    """Something that the agent meets; it goes on."""


class SharedAway(HotFilesError):
    """The shared directory cannot be read: all stays as it is."""


class CopyFailed(HotFilesError):
    """This file was not copied; nothing of the attempt is left."""


class OriginalChanged(CopyFailed):
    """It is being written, or was replaced: later."""


class DiskFull(CopyFailed):
    """The local disk takes no more."""


class CopyStopped(CopyFailed):
    """The agent ends."""


class CannotStart(HotFilesError):
    """Directories or addresses that cannot be used as they are."""
