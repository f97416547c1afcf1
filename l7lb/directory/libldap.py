"""The only door to python-ldap: what we use of it, typed.

Names are imported from inside the package, never the bare package: in a checkout without
python-ldap the folder `ldap/` would be found in its place, empty.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ldap.controls import SimplePagedResultsControl
from ldap.ldapobject import SimpleLDAPObject

import ldap as library

LDAPError: type[Exception] = library.LDAPError
INVALID_CREDENTIALS: type[Exception] = library.INVALID_CREDENTIALS
NO_SUCH_OBJECT: type[Exception] = library.NO_SUCH_OBJECT
ALREADY_EXISTS: type[Exception] = library.ALREADY_EXISTS
NO_SUCH_ATTRIBUTE: type[Exception] = library.NO_SUCH_ATTRIBUTE
TYPE_OR_VALUE_EXISTS: type[Exception] = library.TYPE_OR_VALUE_EXISTS
SIZELIMIT_EXCEEDED: type[Exception] = library.SIZELIMIT_EXCEEDED
BIND_REFUSED: tuple[type[Exception], ...] = (
    library.INVALID_CREDENTIALS,
    library.INAPPROPRIATE_AUTH,
    library.UNWILLING_TO_PERFORM,
    library.CONSTRAINT_VIOLATION,
    library.NO_SUCH_OBJECT,
    library.INVALID_DN_SYNTAX,
)
"""Results of a user's bind that mean: not with this password (locked and the like included)."""
TEMPORARY: tuple[type[Exception], ...] = (
    library.BUSY,
    library.UNAVAILABLE,
    library.SERVER_DOWN,
    library.CONNECT_ERROR,
    library.TIMEOUT,
    library.TIMELIMIT_EXCEEDED,
    library.ADMINLIMIT_EXCEEDED,
)
"""Another server, or a later try, may do better."""
BASE, ONE_LEVEL, SUBTREE = library.SCOPE_BASE, library.SCOPE_ONELEVEL, library.SCOPE_SUBTREE
MOD_ADD, MOD_DELETE, MOD_REPLACE = library.MOD_ADD, library.MOD_DELETE, library.MOD_REPLACE
NO_ATTRIBUTES = "1.1"
"""RFC 4511 §4.5.1.8."""
PASSWORD_MODIFY = "1.3.6.1.4.1.4203.1.11.1"  # noqa: S105 - an OID, RFC 3062
PAGED_RESULTS = SimplePagedResultsControl.controlType

_PARTS = (
    library.RES_SEARCH_ENTRY,
    library.RES_SEARCH_REFERENCE,
    library.RES_INTERMEDIATE,
)
"""Kinds of messages after which more of the same answer comes."""

Entry = tuple[str, Mapping[str, Sequence[bytes]]]
Modification = tuple[int, str, list[bytes] | None]


@dataclass(frozen=True, slots=True)
class Search:
    """One search request; at most `limit` entries, 0: the server's own limit."""

    base: str
    scope: int
    filter: str
    attributes: tuple[str, ...]
    limit: int = 0
    page: int = 0
    """Entries a page; 0: not in pages."""
    cookie: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole result: for a search all its entries."""

    entries: list[Entry]
    cookie: bytes = b""
    """Where the next page begins; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Part:
    """One message of an answer."""

    message: int
    entries: list[Entry]
    is_last: bool
    cookie: bytes = b""


class Handle:
    """One libldap session over a socket that is connected already. Nothing here waits.

    Each request returns its message id. All raise LDAPError.
    """

    def __init__(self, descriptor: int) -> None:
        """Takes a copy of a non-blocking, connected socket's descriptor."""
        copy = os.dup(descriptor)
        try:
            # The scheme only says that it is a stream: TLS, where there is, ends before it.
            self._ldap = SimpleLDAPObject("ldap://", fileno=copy)
        except BaseException:
            os.close(copy)
            raise
        for option, value in (
            (library.OPT_PROTOCOL_VERSION, library.VERSION3),
            (library.OPT_REFERRALS, 0),
            (library.OPT_DEREF, library.DEREF_NEVER),
            (library.OPT_TIMELIMIT, 0),
        ):
            self._ldap.set_option(option, value)

    def bind(self, dn: str, password: bytes) -> int:
        return cast("int", self._ldap.simple_bind(dn, password))

    def search(self, search: Search) -> int:
        controls = None
        if search.page:
            paged = SimplePagedResultsControl(True, size=search.page, cookie=search.cookie)
            controls = [paged]
        message = self._ldap.search_ext(
            search.base,
            search.scope,
            search.filter,
            list(search.attributes),
            serverctrls=controls,
            sizelimit=search.limit,
        )
        return cast("int", message)

    def add(self, dn: str, attributes: Mapping[str, list[bytes]]) -> int:
        return cast("int", self._ldap.add_ext(dn, list(attributes.items())))

    def modify(self, dn: str, changes: Sequence[Modification]) -> int:
        return cast("int", self._ldap.modify_ext(dn, list(changes)))

    def delete(self, dn: str) -> int:
        return cast("int", self._ldap.delete_ext(dn))

    def set_password(self, dn: str, password: bytes) -> int:
        """RFC 3062: the server hashes it by its own rules."""
        return cast("int", self._ldap.passwd(dn, None, password))

    def abandon(self, message: int) -> None:
        self._ldap.abandon_ext(message)

    def result(self) -> Part | None:
        """The next message that has come; None: there is no whole one yet.

        One at a time: asked for whole results without waiting, libldap 2.5 reads an entry and
        says that there is nothing yet, although the end has come with it.
        Raises LDAPError for a result that is an error, see `message_of`.
        """
        kind, data, message, controls, _, _ = self._ldap.result4(library.RES_ANY, 0, 0)
        if kind is None:
            return None
        if kind in _PARTS:
            return Part(int(message), [(dn, found) for dn, found in data if dn is not None], False)
        cookie = next((c.cookie for c in controls if c.controlType == PAGED_RESULTS), b"")
        return Part(int(message), [], True, bytes(cookie or b""))

    def close(self) -> None:
        self._ldap.unbind_ext()


def message_of(error: Exception) -> int | None:
    """The request that this error answers; None: it is the connection's."""
    details = error.args[0] if error.args else None
    return details.get("msgid") if isinstance(details, dict) else None


def reason_of(error: Exception) -> str:
    """In the server's words where it has some."""
    details: Any = error.args[0] if error.args else None
    if not isinstance(details, dict):
        return str(error) or type(error).__name__
    words = [str(details.get("desc", "")).lower() or type(error).__name__]
    if details.get("info"):
        words.append(str(details["info"]))
    return ": ".join(words)
