"""From a specification to a directory that works: the one door to this package.

python-ldap is asked for only here, and only when the rules file names LDAP.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb.accounts import AccountEditor, Directory
from l7lb.directory.static_directory import StaticDirectory, StaticUsers
from l7lb.directory.users import Users
from l7lb.errors import DirectoryRefused
from l7lb.model_directory import DirectorySpec, StaticSpec
from l7lb.ports import Clock

MISSING = (
    "directory.ldap needs python-ldap, which is not installed: pip install 'l7lb[ldap]'"
    " (it is built on the spot; Debian: apt-get install gcc python3-dev libldap-dev libsasl2-dev)"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """Close `directory` when done."""

    directory: Directory
    editor: AccountEditor

    @property
    def users(self) -> Users:
        return Users(self.directory, self.editor)


def check_installed(spec: DirectorySpec | None) -> None:
    """Whether this directory could be opened here. Raises DirectoryRefused, with what to do."""
    if spec is None or isinstance(spec, StaticSpec):
        return
    try:
        from l7lb.directory import libldap  # noqa: F401, PLC0415 - the optional dependency
    except ImportError as error:
        raise DirectoryRefused(MISSING) from error


def check_directory(spec: DirectorySpec | None) -> None:
    """Whether it could be opened here; reads a static file, asks no server. Blocks.

    Raises ConfigError, DirectoryRefused.
    """
    check_installed(spec)
    if isinstance(spec, StaticSpec):
        StaticDirectory(spec)


def open_directory(spec: DirectorySpec, clock: Clock | None = None) -> Opened:
    """Call it in the event loop that will use it. An LDAP directory begins to connect at once and
    does not fail for a server that is away.

    Raises ConfigError (static file), DirectoryRefused (python-ldap is missing, TLS files).
    """
    if isinstance(spec, StaticSpec):
        directory = StaticDirectory(spec, clock)
        return Opened(directory, StaticUsers(directory))
    check_installed(spec)
    from l7lb.directory.ldap_directory import LdapDirectory  # noqa: PLC0415 - optional
    from l7lb.directory.ldap_users import LdapUsers  # noqa: PLC0415 - optional

    try:
        in_ldap = LdapDirectory(spec, clock)
    except OSError as error:
        raise DirectoryRefused(f"directory.ldap.tls: {error}") from None
    in_ldap.start()
    return Opened(in_ldap, LdapUsers(in_ldap))
